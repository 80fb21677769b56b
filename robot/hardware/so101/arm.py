"""The SO-101 over its serial line: five joints and a gripper, each a Feetech servo that holds its own position.

Servos are commanded in steps; a calibration says which angle each step is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from robot.arm.interface import ArmOptions, ArmSpec, Reading, Vector
from robot.errors import ArmError, ConfigurationError
from robot.hardware.so101.bus import (
    ACCELERATION,
    GOAL_SPEED,
    HOMING_OFFSET,
    OPERATING_MODE,
    STEPS,
    TORQUE,
    FeetechBus,
    Servo,
    signed,
)
from robot.hardware.so101.calibration import RADIANS, Calibration, read_calibration
from robot.hardware.so101.description import GRIPPER, JOINTS, LIMITS, MOTORS, OPEN_M, STALL_NM, so101_spec
from robot.hardware.so101.servo_errors import error_of
from robot.motion.governor import START_JOINT_SLACK

POSITION_MODE = 0
FASTEST = 254
_SHARE_TO_EDGE = 0.98
"""The share of a joint's calibrated range that is used: the range ends at the joint's mechanical stops."""
_FIRST_S = 1.0
_ERROR_REPORTS = 3
"""Number of successive reports of an error before it counts: the supply's voltage may dip for a moment."""
_GRIPPER_SLACK = 0.1
"""rad; a closed gripper may stand so far beyond the range that was found by hand."""


def make_arm(options: ArmOptions) -> So101:
    """Return the arm on the serial line `options.address`; the entry point `so101` of `worldarm.arms`.

    Raises `ConfigurationError` without an address or a calibration file, and for a file that is not a calibration.
    """
    if options.address is None:
        raise ConfigurationError("an SO-101 needs the serial port it is plugged into: --address /dev/ttyACM0")
    if options.calibration is None:
        raise ConfigurationError(
            "an SO-101 needs its calibration: --calibration FILE, as `lerobot-calibrate` writes it for this arm"
        )
    return So101(options.address, read_calibration(options.calibration))


class So101:
    """An `Arm` of position-controlled servos. Torque is on from `start` and stays on after `close`: the arm holds."""

    def __init__(self, port: str, calibration: Mapping[str, Calibration]) -> None:
        self._port = port
        self._calibration = calibration
        self._bus: FeetechBus | None = None
        self._reading: Reading | None = None
        self._holds = False
        self._erroneous = 0
        self._recovery_speed = 0.0
        self._reach: dict[str, tuple[int, int]] = {}
        halves = [min(_SHARE_TO_EDGE * calibration[name].half_range, LIMITS[name]) for name in JOINTS]
        self.spec: ArmSpec = so101_spec(tuple(-half for half in halves), tuple(halves))

    def inspect(self) -> Reading:
        """Open the line, check that every servo is there, is the calibrated one and is well, and return where the arm
        stands. Nothing is written to a servo.

        Raises `ArmError` when a servo is missing, has another offset than the file says, reports an error, is too hot
        or has too little voltage, and when a joint stands outside its range.
        """
        bus = self._found()
        servos = self._first(bus)
        self._require_startable(servos)
        self._reading = self._decoded(servos)
        return self._reading

    def allow_outside(self, speed: float) -> None:
        """Let the next start accept joints outside their ranges; no servo then turns faster than `speed` rad/s."""
        self._recovery_speed = speed

    def start(self) -> None:
        """Inspect the arm, unless that was done, and hold the present position. Raises `ArmError` as `inspect` does,
        before anything is written."""
        if self._bus is None:
            self.inspect()
        bus = self._open()
        servos = self._first(bus)
        self._require_startable(servos)
        found = {name: servos[calibrated.id].position for name, calibrated in self._calibration.items()}
        self._reach = {
            name: (min(calibrated.range_min, found[name]), max(calibrated.range_max, found[name]))
            for name, calibrated in self._calibration.items()
        }
        for calibrated in self._calibration.values():
            bus.write(calibrated.id, ACCELERATION, 1, FASTEST)
            bus.write(calibrated.id, GOAL_SPEED, 2, round(self._recovery_speed / RADIANS))
        # Goals first, torque after: a servo whose torque is switched on jumps to its old goal.
        bus.move({calibrated.id: found[name] for name, calibrated in self._calibration.items()})
        for name in MOTORS:
            bus.write(self._calibration[name].id, TORQUE, 1, 1)
        self._holds, self._erroneous = True, 0

    def start_reading(self) -> None:
        """Open the line and check that the arm is the calibrated one; nothing is written to a servo.

        Torque is never switched off here, because an arm that its motors hold up would fall. A leader's servos must
        therefore be limp already, as they are after power-on. Raises `ArmError` when one of them holds, when a servo is
        missing or has another offset than the file says.
        """
        servos = self._first(self._found())
        holding = [name for name in MOTORS if servos[self._calibration[name].id].torque]
        if holding:
            raise ArmError(
                f"the motors hold the arm ({', '.join(holding)}): take it in your hand, cut its power and switch it on "
                "again; then it is limp and can lead"
            )

    def read(self) -> Reading:
        """Return the newest measurement, or the last one again when an answer was lost. Raises `ArmError` when the line
        is gone, and when a servo reports an error, has lost its torque or is too hot."""
        servos = self._open().present()
        if servos is not None:
            self._watch(servos)
            self._reading = self._decoded(servos)
        if self._reading is None:
            raise ArmError(f"the servos on {self._port} have not answered yet")
        return self._reading

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Send every servo its goal. Raises `ArmError` when the line is gone."""
        goals = {}
        for name, angle in zip(JOINTS, positions, strict=True):
            calibrated, (lowest, highest) = self._calibration[name], self._reach[name]
            goals[calibrated.id] = min(max(calibrated.unbounded_steps(float(angle)), lowest), highest)
        gripper = self._calibration[GRIPPER]
        share = min(max(gripper_width / OPEN_M, 0.0), 1.0)
        goals[gripper.id] = gripper.steps((2.0 * share - 1.0) * gripper.half_range)
        self._open().move(goals)

    def park(self) -> None:
        """Leave the servos holding their last goals."""

    def close(self) -> None:
        """Close the line. The servos keep holding, with torque, until their power is cut."""
        self._holds = False
        if self._bus is not None:
            bus, self._bus = self._bus, None
            bus.close()

    def _found(self) -> FeetechBus:
        """Open the line, and check that every servo is there and is the calibrated one."""
        bus = FeetechBus(self._port, [self._calibration[name].id for name in MOTORS])
        self._bus = bus
        for name in MOTORS:
            calibrated = self._calibration[name]
            offset = signed(bus.read(calibrated.id, HOMING_OFFSET, 2), 11)
            if offset != calibrated.homing_offset:
                raise ArmError(
                    f"{name} (servo {calibrated.id}) has the homing offset {offset}, the calibration file says "
                    f"{calibrated.homing_offset}: this file is another arm's, or older than the last calibration"
                )
            mode = bus.read(calibrated.id, OPERATING_MODE, 1)
            if mode != POSITION_MODE:
                raise ArmError(
                    f"{name} (servo {calibrated.id}) is in mode {mode}, not in position mode; calibrate it again"
                )
        return bus

    def _open(self) -> FeetechBus:
        if self._bus is None:
            raise ArmError("the SO-101 is not started")
        return self._bus

    def _first(self, bus: FeetechBus) -> Mapping[int, Servo]:
        """Return a first measurement; repeat the request while answers are lost."""
        deadline = time.monotonic() + _FIRST_S
        while time.monotonic() < deadline:
            servos = bus.present()
            if servos is not None:
                return servos
        raise ArmError(f"the servos on {self._port} do not all answer; is another program using the port?")

    def _errors(self, servos: Mapping[int, Servo]) -> str:
        """Return what is wrong with the first servo that is not well, and what to do; empty when all are."""
        numbers = ((name, self._calibration[name].id) for name in MOTORS)
        return next(filter(None, (error_of(name, id_, servos[id_], self._holds) for name, id_ in numbers)), "")

    def _watch(self, servos: Mapping[int, Servo]) -> None:
        error = self._errors(servos)
        self._erroneous = self._erroneous + 1 if error else 0
        if self._erroneous >= _ERROR_REPORTS:
            raise ArmError(error)

    def _require_startable(self, servos: Mapping[int, Servo]) -> None:
        """Raise `ArmError` when a servo is not well, or stands where it must not be switched on."""
        if error := self._errors(servos):
            raise ArmError(error)
        limits = dict(zip(JOINTS, zip(self.spec.lower, self.spec.upper, strict=True), strict=True))
        for name in MOTORS:
            calibrated, at = self._calibration[name], servos[self._calibration[name].id].position
            if not 0 <= at < STEPS:
                raise ArmError(
                    f"{name} (servo {calibrated.id}) reports {at} steps, outside its turn of 0 to {STEPS - 1}, so the "
                    "arm was not switched on: switch its power off, move the joint to the middle of its range by hand, "
                    "switch it on, and calibrate the arm again if that does not help (`lerobot-calibrate`)"
                )
            slack = START_JOINT_SLACK if name in limits else _GRIPPER_SLACK
            lower, upper = limits.get(name, (-calibrated.half_range, calibrated.half_range))
            beyond = max(lower - calibrated.angle(at), calibrated.angle(at) - upper)
            if beyond > slack and not self._recovery_speed:
                raise ArmError(
                    f"{name} (servo {calibrated.id}) stands {math.degrees(beyond):.1f}° outside its limits, so the arm "
                    "was not switched on: switch its power off and on, which leaves it limp, and move the joint back "
                    "by hand; or let `worldarm driver … --recover` move it back slowly"
                )

    def _decoded(self, servos: Mapping[int, Servo]) -> Reading:
        joints = [(self._calibration[name], servos[self._calibration[name].id]) for name in JOINTS]
        gripper = self._calibration[GRIPPER]
        share = 0.5 * (1.0 + gripper.angle(servos[gripper.id].position) / gripper.half_range)
        return Reading(
            time_ns=time.monotonic_ns(),
            positions=tuple(calibrated.angle(servo.position) for calibrated, servo in joints),
            velocities=tuple(calibrated.direction * servo.speed * RADIANS for calibrated, servo in joints),
            gripper_width=float(np.clip(share, 0.0, 1.0)) * OPEN_M,
            efforts=tuple(calibrated.direction * servo.load * 1e-3 * STALL_NM for calibrated, servo in joints),
        )
