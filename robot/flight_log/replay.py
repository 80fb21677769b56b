"""Replays a flight log: the same servo and governor with the same inputs at the same times must give the same
results."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from robot.errors import Refused
from robot.flight_log.records import Engaged, Held, Opened, Record, Ticked, WaypointsReceived
from robot.motion.servo import Servo, SetPoint


@dataclass(frozen=True)
class Difference:
    """A difference at `time_ns`: the recording has `recorded`, the replay gave `replayed`, both as text."""

    time_ns: int
    recorded: str
    replayed: str


@dataclass(frozen=True)
class Replayed:
    """The result of a replay: the number of `ticks` and `commands`, and the first `difference`, None when all results
    were identical to the last bit."""

    ticks: int
    commands: int
    difference: Difference | None


def replay(records: Iterable[Record]) -> Replayed:
    """Run `records`, the oldest first, through a servo of their arm until the first difference."""
    servo: Servo | None = None
    run = ""
    ticks = commands = 0
    for record in records:
        if isinstance(record, Opened):
            if record.run != run:
                run, servo = record.run, _restored(record)
        elif servo is None:
            continue  # the segment's first record is damaged
        elif isinstance(record, Engaged):
            servo.engage(np.array(record.positions), record.gripper_width, record.ramp_s)
        elif isinstance(record, Held):
            servo.hold()
        elif isinstance(record, WaypointsReceived):
            commands += 1
            answer = _accept(servo, record)
            if answer != record.refused:
                difference = Difference(record.time_ns, _taken(record.refused), _taken(answer))
                return Replayed(ticks, commands, difference)
        elif isinstance(record, Ticked):
            ticks += 1
            point = servo.tick(record.time_ns)
            if not _same(record, point):
                difference = Difference(
                    record.time_ns,
                    _words(record.governed, record.gripper_width, record.clamps),
                    _words(tuple(point.governed.tolist()), point.gripper_width, point.clamps),
                )
                return Replayed(ticks, commands, difference)
    return Replayed(ticks, commands, None)


def _restored(opened: Opened) -> Servo:
    """Return the servo in its state at the beginning of the segment; in a run's first segment it is not engaged yet."""
    servo = Servo(opened.arm)
    if opened.servo is not None:
        servo.restore(opened.servo)
    return servo


def _accept(servo: Servo, received: WaypointsReceived) -> str:
    """Send the recorded waypoints to the servo; return the reason why it refused them, empty when it accepted them."""
    try:
        servo.accept(received.waypoints, received.time_ns)
    except Refused as error:
        return error.reason
    return ""


def _same(record: Ticked, point: SetPoint) -> bool:
    return (
        record.governed == tuple(point.governed.tolist())
        and record.velocity == tuple(point.velocity.tolist())
        and record.gripper_width == point.gripper_width
        and record.clamps == point.clamps
    )


def _taken(refused: str) -> str:
    return f"refused waypoints ({refused})" if refused else "took waypoints"


def _words(joints: tuple[float, ...], gripper_width: float, clamps: tuple[str, ...]) -> str:
    places = ", ".join(f"{joint:.9f}" for joint in joints)
    return f"({places}) rad, gripper {gripper_width:.6f} m" + (f", clamped by {', '.join(clamps)}" if clamps else "")
