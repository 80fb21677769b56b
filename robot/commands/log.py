"""`worldarm log show|export|replay`: show a flight log in words, export it as MCAP, and replay it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from robot.errors import ConfigurationError, DatasetError
from robot.flight_log.mcap_export import write_mcap
from robot.flight_log.records import (
    Asked,
    Changed,
    Closed,
    Engaged,
    Held,
    Measured,
    Opened,
    Record,
    Ticked,
    WaypointsReceived,
    newest_flight_log,
    read_flight_log,
)
from robot.flight_log.replay import replay as replay_records
from robot.system.files import atomic_write, require_writable

Folder = Annotated[
    Path | None,
    tyro.conf.Positional,
    tyro.conf.arg(metavar="FOLDER", help="folder of the flight log; None: the one that a driver opened last"),
]


def show(
    folder: Folder = None,
    last: Annotated[float, tyro.conf.arg(help="length of the shown part, s, counted back from the end")] = 60.0,
    everything: Annotated[bool, tyro.conf.arg(help="also show every set-point and measurement")] = False,
) -> None:
    """Show a driver's requests and actions: mode changes, commands, refusals and clamps, line by line.

    The log of a running driver may be shown too. After a crash it holds everything up to the crash.
    """
    if not last > 0:
        raise ConfigurationError(f"--last must be more than 0, not {last:g}")
    log, records = _open(folder)
    ends = records[-1].time_ns
    first_ns = -math.inf if math.isinf(last) else ends - round(last * 1e9)
    print(f"{log}: {_summary(records)}")
    wall_ns = 0
    clamped: tuple[str, ...] = ()
    for record in records:
        if isinstance(record, Opened):
            wall_ns = record.wall_ns - record.time_ns
        changes = isinstance(record, Ticked) and record.clamps != clamped
        if isinstance(record, Ticked):
            clamped = record.clamps
        words = _words(record, everything or changes)
        if words and record.time_ns >= first_ns:
            moment = datetime.fromtimestamp((record.time_ns + wall_ns) * 1e-9)
            print(f"{moment:%Y-%m-%d %H:%M:%S.%f}  {words}")


def export(
    folder: Folder = None,
    output: Annotated[Path, tyro.conf.arg(help="the file to write")] = Path("flight-log.mcap"),
) -> None:
    """Write a flight log as an MCAP file, for viewers such as Foxglove, PlotJuggler and rosbag2's tools.

    Set-points, measurements and events are channels of JSON messages with their schemas; times are UTC.
    """
    require_writable(output)
    log, records = _open(folder)
    with atomic_write(output) as beside:
        count = write_mcap(beside, tqdm(records, desc="exporting", unit="record", mininterval=0.5, delay=2.0))
    print(f"{log}: {count} messages in {output}")


def replay(folder: Folder = None) -> None:
    """Replay a flight log through the same servo and governor, and report whether the set-points are bit for bit equal.

    The exit code is 1 when they are not: this version of worldarm, or this machine, would have moved the arm
    differently.
    """
    log, records = _open(folder)
    found = replay_records(tqdm(records, desc="replaying", unit="record", mininterval=0.5, delay=2.0))
    if not found.ticks:
        raise DatasetError(f"{log} holds no tick that could be replayed")
    if found.difference is None:
        print(f"{log}: {found.ticks} ticks and {found.commands} commands replayed, every set-point the same")
        return
    difference = found.difference
    before = (difference.time_ns - records[0].time_ns) * 1e-9
    print(f"{log}: differs {before:.3f} s after the recording begins, at tick {found.ticks}", file=sys.stderr)
    print(f"  recorded: {difference.recorded}\n  replayed: {difference.replayed}", file=sys.stderr)
    raise SystemExit(1)


def _open(folder: Path | None) -> tuple[Path, list[Record]]:
    """Return the folder of the flight log and its records. Raises `DatasetError` when it is absent or empty."""
    log = newest_flight_log() if folder is None else folder
    records = list(_from_first_opening(read_flight_log(log)))
    if not records:
        raise DatasetError(f"the flight log in {log} is empty: no driver has enabled its arm yet")
    return log, records


def _from_first_opening(records: Iterator[Record]) -> Iterator[Record]:
    """Yield the records from the first `Opened` on; the arm of earlier ones is unknown."""
    known = False
    for record in records:
        known = known or isinstance(record, Opened)
        if known:
            yield record


def _summary(records: list[Record]) -> str:
    openings = {record.run: record for record in records if isinstance(record, Opened)}
    ticks = sum(isinstance(record, Ticked) for record in records)
    last = records[-1]
    ending = "ended in order" if isinstance(last, Closed) else "killed, or running still"
    arms = ", ".join(sorted({opening.arm.name for opening in openings.values()}))
    return f"arm {arms}, {len(openings)} run(s), {ticks} ticks; the last run {ending}"


def _words(record: Record, everything: bool) -> str:
    """Return `record` in words; empty for set-points and measurements unless `everything`."""
    if isinstance(record, Opened):
        return f"run {record.run}: arm {record.arm.name}, {record.arm.rate_hz:g} Hz"
    if isinstance(record, Engaged):
        return f"took over at {_degrees(record.positions)}, gripper {1e3 * record.gripper_width:.1f} mm"
    if isinstance(record, WaypointsReceived):
        if record.refused:
            return f"waypoints refused: {record.refused}"
        end_s = (record.waypoints[-1].time_ns - record.time_ns) * 1e-9
        return f"{len(record.waypoints)} waypoint(s) over {end_s:.2f} s to {_degrees(record.waypoints[-1].positions)}"
    if isinstance(record, Held):
        return "came to rest as quickly as the limits allow"
    if isinstance(record, Asked):
        what = record.request or "something malformed"
        return f"{what} refused: {record.refused}" if record.refused else f"{what}, lease: {record.holder or 'free'}"
    if isinstance(record, Changed):
        reason = f" ({record.reason})" if record.reason else ""
        return f"mode {record.mode}{reason}, lease: {record.holder or 'free'}"
    if isinstance(record, Closed):
        return f"ended in order: {record.reason or 'no reason given'}"
    if not everything:
        return ""
    if isinstance(record, Measured):
        return f"measured {_degrees(record.positions)}, gripper {1e3 * record.gripper_width:.1f} mm"
    clamps = f", clamped: {', '.join(record.clamps)}" if record.clamps else ""
    return f"set-point {_degrees(record.governed)}, gripper {1e3 * record.gripper_width:.1f} mm{clamps}"


def _degrees(joints: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{math.degrees(joint):.1f}" for joint in joints) + ")°"
