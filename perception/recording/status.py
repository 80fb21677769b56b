"""How a recording stands at one moment, for a terminal's line or a page."""

from __future__ import annotations

from enum import Enum

import msgspec


class Phase(str, Enum):
    """What a recorder is at.

    waiting: driver or a camera is away. ready: an episode can be started. recording. ended: an episode ended by itself,
    and is to be kept or discarded. unsaved: a whole episode could not be written; keeping tries again. resetting: the
    scene is being arranged anew. failed: it cannot go on.
    """

    WAITING = "waiting"
    READY = "ready"
    RECORDING = "recording"
    ENDED = "ended"
    UNSAVED = "unsaved"
    RESETTING = "resetting"
    FAILED = "failed"


class RecorderStatus(msgspec.Struct, frozen=True):
    """`episode` is the number of the one that is recorded, or would be next, `seconds` and `frames` how long it is so
    far, `marks` what there is to doubt about it.

    rates_hz, ages_s: of "driver" and each camera by name, messages a second and how old the newest is; the age is None
    before the first. holder: who moves the arm, empty when nobody does. kept: how many were saved since the recorder
    was made; saving: how many are being saved now; saved_s: how long the last one took from being kept to the disk,
    None before. behind: rows whose pictures wait to be encoded, `spilled` those that wait on the disk. free_bytes: room
    on the disk. note: what happened last, and what to do.
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
