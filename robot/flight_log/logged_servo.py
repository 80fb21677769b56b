"""A servo that records each call and its result in the flight log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex

from robot.arm.interface import ArmSpec, Vector
from robot.errors import Refused
from robot.flight_log.records import (
    SCHEMA_VERSION,
    Engaged,
    FlightLog,
    Held,
    Opened,
    Record,
    Ticked,
    WaypointsReceived,
    open_flight_log,
)
from robot.motion.servo import Servo, SetPoint
from robot.wire.messages import Waypoint


class LoggedServo:
    """A `Servo` of `spec` that records every call in the flight log in `folder`; None chooses a default folder of the
    arm.

    Each segment of the log begins with the servo's state, so that the calls recorded in it can be replayed from there.
    Raises `ConfigurationError` when the folder cannot be used.
    """

    def __init__(self, spec: ArmSpec, folder: Path | None) -> None:
        self._spec = spec
        self._servo = Servo(spec)
        self._engaged = False
        self._run = token_hex(8)
        self._log: FlightLog = open_flight_log(folder, spec.name, self._opening)

    @property
    def folder(self) -> Path:
        """The folder of the flight log."""
        return self._log.folder

    @property
    def active_until_ns(self) -> int:
        """As `Servo.active_until_ns`."""
        return self._servo.active_until_ns

    @property
    def behind_ns(self) -> int:
        """As `Servo.behind_ns`."""
        return self._servo.behind_ns

    def engage(self, measured: Vector, gripper_width: float, ramp_s: float = 0.0) -> None:
        """As `Servo.engage`."""
        self._log.prepare()
        self._servo.engage(measured, gripper_width, ramp_s)
        self._engaged = True
        self._log.note(Engaged(time.monotonic_ns(), tuple(measured.tolist()), gripper_width, ramp_s))

    def accept(self, waypoints: Sequence[Waypoint], now_ns: int) -> tuple[str, ...]:
        """As `Servo.accept`."""
        self._log.prepare()
        try:
            clamps = self._servo.accept(waypoints, now_ns)
        except Refused as error:
            self._log.note(WaypointsReceived(now_ns, tuple(waypoints), error.reason))
            raise
        self._log.note(WaypointsReceived(now_ns, tuple(waypoints), ""))
        return clamps

    def hold(self) -> None:
        """As `Servo.hold`."""
        self._log.prepare()
        self._servo.hold()
        self._log.note(Held(time.monotonic_ns()))

    def tick(self, now_ns: int) -> SetPoint:
        """As `Servo.tick`."""
        self._log.prepare()
        point = self._servo.tick(now_ns)
        governed, velocity = tuple(point.governed.tolist()), tuple(point.velocity.tolist())
        self._log.note(Ticked(now_ns, governed, velocity, point.gripper_width, point.clamps))
        return point

    def note(self, record: Record) -> None:
        """Record an entry that is not a call of the servo."""
        self._log.note(record)

    def close(self) -> None:
        """Close the flight log."""
        self._log.close()

    def _opening(self) -> Opened:
        return Opened(
            time_ns=time.monotonic_ns(),
            version=SCHEMA_VERSION,
            run=self._run,
            wall_ns=time.time_ns(),
            arm=self._spec,
            servo=self._servo.state() if self._engaged else None,
        )
