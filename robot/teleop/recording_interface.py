"""What a page asks of whatever records what it moves."""

from __future__ import annotations

from typing import Protocol


class RecordingStatus(Protocol):
    """How a recording stands."""

    @property
    def phase(self) -> str:
        """One of ready, waiting, recording, ended, unsaved, resetting and failed."""

    @property
    def task(self) -> str:
        """What is done, in words."""

    @property
    def seconds(self) -> float:
        """How long the episode is so far."""

    @property
    def marks(self) -> tuple[str, ...]:
        """What there is to doubt about it."""

    @property
    def kept(self) -> int:
        """How many were saved."""

    @property
    def saving(self) -> int:
        """How many are being saved."""

    @property
    def free_bytes(self) -> int:
        """The room on the disk."""

    @property
    def note(self) -> str:
        """What happened last."""


class Recording(Protocol):
    """Records episodes; each call may come from any thread, and raises a `WorldarmError` for what cannot be now."""

    def start(self) -> None:
        """Begin an episode."""

    def keep(self) -> None:
        """End the episode and save it."""

    def discard(self) -> None:
        """Forget the episode."""

    def re_record(self) -> None:
        """Forget the episode and begin it anew."""

    def set_task(self, task: str) -> None:
        """Say what is done from now on."""

    def reset(self) -> None:
        """Have the things put somewhere new; a simulated scene's by itself, once nobody holds the lease."""

    def status(self) -> RecordingStatus:
        """Return how things stand."""
