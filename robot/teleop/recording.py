"""What a page asks of whatever records what it moves."""

from __future__ import annotations

from typing import Protocol


class RecordingStatus(Protocol):
    """How a recording stands: `phase` is one of ready, waiting, recording, ended, unsaved, resetting and failed, `task`
    what is done in words, `seconds` how long the episode is so far, `marks` what there is to doubt about it, `kept` how
    many were saved and `saving` how many are being, `free_bytes` the room on the disk, `note` what happened last."""

    @property
    def phase(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def marks(self) -> tuple[str, ...]: ...
    @property
    def kept(self) -> int: ...
    @property
    def saving(self) -> int: ...
    @property
    def free_bytes(self) -> int: ...
    @property
    def note(self) -> str: ...


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
