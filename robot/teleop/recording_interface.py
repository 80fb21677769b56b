"""The interface through which a page controls a recorder."""

from __future__ import annotations

from typing import Protocol


class RecordingStatus(Protocol):
    """The state of a recording."""

    @property
    def phase(self) -> str:
        """One of ready, waiting, recording, ended, unsaved, resetting and failed."""

    @property
    def task(self) -> str:
        """What is done in the episode, in words."""

    @property
    def seconds(self) -> float:
        """Length of the present episode so far, s."""

    @property
    def marks(self) -> tuple[str, ...]:
        """Reasons to doubt the quality of the present episode."""

    @property
    def kept(self) -> int:
        """Number of saved episodes."""

    @property
    def saving(self) -> int:
        """Number of episodes that are being saved."""

    @property
    def free_bytes(self) -> int:
        """Free space on the disk, bytes."""

    @property
    def note(self) -> str:
        """The last event, in words."""


class Recording(Protocol):
    """Records episodes. Any thread may call it; a call that is not possible now raises a `WorldarmError`."""

    def start(self) -> None:
        """Begin an episode."""

    def keep(self) -> None:
        """End the episode and save it."""

    def discard(self) -> None:
        """End the episode without saving it."""

    def re_record(self) -> None:
        """Discard the episode and start it again."""

    def set_task(self, task: str) -> None:
        """Set the task of the episodes from now on, in words."""

    def reset(self) -> None:
        """Ask for a new placement of the objects; a simulated scene places them itself once the lease is free."""

    def status(self) -> RecordingStatus:
        """Return the state of the recording."""
