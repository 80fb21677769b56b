"""The status of a recording, for a terminal's line or a page."""

from __future__ import annotations

from enum import Enum

import msgspec


class Phase(str, Enum):
    """The phase of a recorder.

    waiting: the driver or a camera is away, or the arm is in a fault. ready: an episode can be started. recording: an
    episode is in progress. ended: an episode ended by itself and is to be kept or discarded. unsaved: a complete
    episode could not be written; keeping tries again. resetting: the scene is being reset. failed: the recorder cannot
    continue.
    """

    WAITING = "waiting"
    READY = "ready"
    RECORDING = "recording"
    ENDED = "ended"
    UNSAVED = "unsaved"
    RESETTING = "resetting"
    FAILED = "failed"


class RecorderStatus(msgspec.Struct, frozen=True):
    """`episode` is the number of the present or next episode, `seconds` and `frames` its length so far, and `marks` its
    defects.

    `rates_hz` and `ages_s` are, for "driver" and each camera by name, the rate of messages and the age of the newest
    one, None before the first. `holder` is the lease holder, empty when the lease is free. `kept` is the number of
    episodes saved since the recorder was created, `saving` the number being saved now. `saved_s` is the time from
    keeping the last episode until it was on disk, None before the first. `behind` is the number of rows whose pictures
    wait to be encoded, `spilled` the number of those that wait on disk. `free_bytes` is the free disk space. `note`
    says what happened last and what to do.
    """

    phase: Phase
    task: str
    episode: int
    seconds: float
    frames: int
    marks: tuple[str, ...]
    rates_hz: dict[str, float]
    ages_s: dict[str, float | None]
    holder: str
    kept: int
    saving: int
    saved_s: float | None
    behind: int
    spilled: int
    free_bytes: int
    note: str
