"""The flight log: a driver's requests, set-points and the arm's measurements of the last minutes, on disk.

It records every input of the servo with its time, so that a recording can be replayed through the same servo and
governor with identical results, to the last bit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TypeAlias

import msgspec

from robot.arm.interface import ArmSpec
from robot.errors import ConfigurationError, DatasetError
from robot.flight_log.ring_file import LOCK_FILE, SEGMENTS, BackgroundRing, RingBusy, is_ring, read_ring
from robot.motion.servo import ServoState
from robot.system.files import state_folder
from robot.system.text import escape_fields
from robot.wire.messages import Waypoint

SCHEMA_VERSION = 1
SIZE_MIB = 64
MOST_BYTES = 32 * 1024
"""The longest record in bytes: twice the longest request, which the longest record repeats."""
_MOST_LOGS = 100


class Entry(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all entries; `time_ns` is the driver's monotonic time. `texts` names the fields that people read: what
    does not print in them is escaped."""

    texts: ClassVar[tuple[str, ...]] = ()

    time_ns: int

    def __post_init__(self) -> None:
        escape_fields(self, self.texts)


class Opened(Entry, frozen=True):
    """The beginning of a segment: the process `run`, its `arm`, the time `wall_ns` since 1970 in UTC, and the state of
    the `servo`, None before it was engaged."""

    texts: ClassVar[tuple[str, ...]] = ("run",)

    version: int
    run: str
    wall_ns: int
    arm: ArmSpec
    servo: ServoState | None


class Engaged(Entry, frozen=True):
    """The servo was engaged at rest at `positions` (n,) rad with the gripper `gripper_width` m wide and a start-up ramp
    of `ramp_s`."""

    positions: tuple[float, ...]
    gripper_width: float
    ramp_s: float


class WaypointsReceived(Entry, frozen=True, tag="Told"):  # the tag of logs written before
    """Waypoints were received; `refused` is the reason why they were refused, empty when they were accepted."""

    texts: ClassVar[tuple[str, ...]] = ("refused",)

    waypoints: tuple[Waypoint, ...]
    refused: str


class Held(Entry, frozen=True):
    """The servo was commanded to drop its waypoints and come to rest."""


class Ticked(Entry, frozen=True):
    """The set-point of one tick: `governed` (n,) rad and its `velocity` rad/s, `gripper_width` m, and the governor's
    `clamps`."""

    texts: ClassVar[tuple[str, ...]] = ("clamps",)

    governed: tuple[float, ...]
    velocity: tuple[float, ...]
    gripper_width: float
    clamps: tuple[str, ...]


class Measured(Entry, frozen=True):
    """The arm's report: positions (n,) rad, velocities (n,) rad/s, gripper width m, and efforts (n,) N·m where it
    measures them."""

    positions: tuple[float, ...]
    velocities: tuple[float, ...]
    gripper_width: float
    efforts: tuple[float, ...]


class Asked(Entry, frozen=True):
    """A `request` other than waypoints, with the lease `holder` at that time; `refused` is the reason for its refusal,
    empty when it was carried out."""

    texts: ClassVar[tuple[str, ...]] = ("request", "holder", "refused")

    request: str
    holder: str
    refused: str


class Changed(Entry, frozen=True):
    """The driver's mode changed for `reason`; `holder` holds the lease from now on."""

    texts: ClassVar[tuple[str, ...]] = ("mode", "reason", "holder")

    mode: str
    reason: str
    holder: str


class Closed(Entry, frozen=True):
    """The driver ended regularly; without this entry it was killed, or is still running."""

    texts: ClassVar[tuple[str, ...]] = ("reason",)

    reason: str


Record: TypeAlias = Opened | Engaged | WaypointsReceived | Held | Ticked | Measured | Asked | Changed | Closed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class FlightLog:
    """Writes records to the ring in `folder`. `opening` returns the first record of every segment, so that each segment
    can be read and replayed alone.

    Raises `ConfigurationError` when the folder cannot be used.
    """

    def __init__(self, folder: Path, opening: Callable[[], Opened]) -> None:
        self._ring = BackgroundRing(folder, SIZE_MIB * 2**20 // SEGMENTS, _print)
        self._opening = opening
        self.folder = folder

    def prepare(self) -> None:
        """Ensure that the next record fits into the present segment, or begin another segment with the present state.

        Call it before an action that changes the result of `opening` and is recorded afterwards.
        """
        if not self._ring.fits(MOST_BYTES):
            self._ring.turn()
            self._ring.write(_encoder.encode(self._opening()))

    def note(self, record: Record) -> None:
        """Write `record`."""
        encoded = _encoder.encode(record)
        if not self._ring.fits(len(encoded)):
            self.prepare()
        self._ring.write(encoded)

    def close(self) -> None:
        """Close the files."""
        self._ring.close()


def _print(what: str) -> None:
    print(f"driver: {what}", file=sys.stderr, flush=True)


def open_flight_log(folder: Path | None, arm: str, opening: Callable[[], Opened]) -> FlightLog:
    """Return the flight log in `folder`; for None, in the first default folder of `arm` that no other driver uses.

    Raises `ConfigurationError` when no folder can be used.
    """
    if folder is not None:
        return FlightLog(folder, opening)
    for number in range(1, _MOST_LOGS + 1):
        with suppress(RingBusy):
            return FlightLog(flight_logs_folder() / f"{arm}-{number}", opening)
    raise ConfigurationError(f"{_MOST_LOGS} other drivers of the arm {arm!r} run on this machine; stop some")


def newest_flight_log() -> Path:
    """Return the folder of the flight log that was opened last. Raises `DatasetError` when there is none."""
    found = [
        ((folder / LOCK_FILE).stat().st_mtime, folder) for folder in flight_logs_folder().glob("*") if is_ring(folder)
    ]
    if not found:
        raise DatasetError(f"there is no flight log under {flight_logs_folder()}: no driver has run here yet")
    return max(found)[1]


def read_flight_log(folder: Path, last: int = SEGMENTS) -> Iterator[Record]:
    """Yield the records of the flight log in `folder`, or of its `last` segments, the oldest first; it may be called
    while the log is written.

    Raises `DatasetError` when there is none, or when another version wrote it.
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
    except ConfigurationError as error:
        raise DatasetError(f"{folder} cannot be read: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DatasetError(f"{folder} was written by another version of worldarm: {error}") from error


def flight_logs_folder() -> Path:
    """Return the default parent folder of flight logs."""
    return state_folder() / "black-box"
