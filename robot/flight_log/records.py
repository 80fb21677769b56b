"""The flight log: what a driver was asked, what it did and what the arm did, for the last minutes, on disk.

It notes everything that the servo was told, at the instants it was told, so that a recording can be replayed through
the same servo and governor, to the last bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import msgspec

from robot.arm.interface import ArmSpec
from robot.errors import ConfigurationError, DatasetError
from robot.flight_log.ring_file import LOCK_FILE, SEGMENTS, RingBusy, RingWriter, is_ring, read_ring
from robot.motion.servo import ServoState
from robot.wire.messages import Waypoint

SCHEMA_VERSION = 1
SIZE_MIB = 64
MOST_BYTES = 32 * 1024
"""No record is longer: twice a request, which is what the longest repeats."""
_MOST_LOGS = 100


class Entry(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all that is noted, at the driver's monotonic `time_ns`."""

    time_ns: int


class Opened(Entry, frozen=True):
    """A segment begins, of the recording that process `run` makes of `arm`; `wall_ns` is the time since 1970 in UTC,
    and `servo` what it is doing, None before it was engaged."""

    version: int
    run: str
    wall_ns: int
    arm: ArmSpec
    servo: ServoState | None


class Engaged(Entry, frozen=True):
    """The servo took over at rest at `positions` (n,) rad, gripper `gripper_width` m, slow for `ramp_s`."""

    positions: tuple[float, ...]
    gripper_width: float
    ramp_s: float


class Told(Entry, frozen=True):
    """Waypoints came in; `refused` is why they were not taken, empty when they were."""

    waypoints: tuple[Waypoint, ...]
    refused: str


class Held(Entry, frozen=True):
    """The servo was told to drop everything and come to rest."""


class Ticked(Entry, frozen=True):
    """The set-point of one tick: `governed` (n,) rad and its `velocity` rad/s, `gripper_width` m, and what the governor
    clamped."""

    governed: tuple[float, ...]
    velocity: tuple[float, ...]
    gripper_width: float
    clamps: tuple[str, ...]


class Measured(Entry, frozen=True):
    """What the arm reported: (n,) rad and rad/s, gripper m, and N·m where it measures them."""

    positions: tuple[float, ...]
    velocities: tuple[float, ...]
    gripper_width: float
    efforts: tuple[float, ...]


class Asked(Entry, frozen=True):
    """A `request` other than waypoints, from `holder` where it has one, and why it was `refused`, empty when it was
    not."""

    request: str
    holder: str
    refused: str


class Changed(Entry, frozen=True):
    """The driver's mode changed, and why; `holder` has the lease from now on."""

    mode: str
    reason: str
    holder: str


class Closed(Entry, frozen=True):
    """The driver ended in order; without this it was killed, or is still running."""

    reason: str


Record: TypeAlias = Opened | Engaged | Told | Held | Ticked | Measured | Asked | Changed | Closed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class FlightLog:
    """Notes records in the ring in `folder`. `opening` tells what every segment begins with, so that one alone can be
    read and replayed.

    Raises `ConfigurationError` when the folder cannot be had.
    """

    def __init__(self, folder: Path, opening: Callable[[], Opened]) -> None:
        self._ring = RingWriter(folder, SIZE_MIB * 2**20 // SEGMENTS)
        self._opening = opening
        self.folder = folder

    def prepare(self) -> None:
        """See that the next record goes into the present segment, or begin another with what is true now.

        To be called before anything happens that changes what `opening` tells, and is noted when it has.
        """
        if not self._ring.fits(MOST_BYTES):
            self._ring.turn()
            self._ring.write(_encoder.encode(self._opening()))

    def note(self, record: Record) -> None:
        """Write `record` down."""
        encoded = _encoder.encode(record)
        if not self._ring.fits(len(encoded)):
            self.prepare()
        self._ring.write(encoded)

    def close(self) -> None:
        """Let go of the folder."""
        self._ring.close()


def open_flight_log(folder: Path | None, arm: str, opening: Callable[[], Opened]) -> FlightLog:
    """Return the flight log in `folder`; for None in one of `arm`'s own, the first that no other driver writes to.

    Raises `ConfigurationError` when it cannot be had.
    """
    if folder is not None:
        return FlightLog(folder, opening)
    for number in range(1, _MOST_LOGS + 1):
        with suppress(RingBusy):
            return FlightLog(flight_logs_folder() / f"{arm}-{number}", opening)
    raise ConfigurationError(f"{_MOST_LOGS} other drivers of the arm {arm!r} run on this machine; stop some")


def newest_flight_log() -> Path:
    """Return the flight log that a driver last began to write to. Raises `DatasetError` when there is none."""
    found = [
        ((folder / LOCK_FILE).stat().st_mtime, folder) for folder in flight_logs_folder().glob("*") if is_ring(folder)
    ]
    if not found:
        raise DatasetError(f"there is no flight log under {flight_logs_folder()}: no driver has run here yet")
    return max(found)[1]


def read_flight_log(folder: Path, last: int = SEGMENTS) -> Iterator[Record]:
    """Yield what is in the flight log in `folder`, or in the `last` of the segments that it is kept in, the oldest
    first; may be called while it is written.

    Raises `DatasetError` when there is none, or none that this version reads.
    """
    if not is_ring(folder):
        raise DatasetError(f"there is no flight log in {folder}: no driver has written one there")
    try:
        for segment in read_ring(folder, last):
            for encoded in segment:
                record = _decoder.decode(encoded)
                if isinstance(record, Opened) and record.version != SCHEMA_VERSION:
                    raise DatasetError(
                        f"{folder} was written by another version of worldarm (schema {record.version}, this one reads "
                        f"{SCHEMA_VERSION})"
                    )
                yield record
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror or error}") from error
    except msgspec.DecodeError as error:
        raise DatasetError(f"{folder} was written by another version of worldarm: {error}") from error


def flight_logs_folder() -> Path:
    """Return the folder under which drivers keep their flight logs unless told otherwise."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return Path(state if os.path.isabs(state) else Path.home() / ".local" / "state") / "worldarm" / "black-box"
