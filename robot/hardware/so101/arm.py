"""The SO-101 over its serial line: five joints and a gripper, each a Feetech servo that holds its own position.

Servos are commanded in steps. A calibration file gives each servo's range and direction; it has the format of LeRobot's
calibration.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
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
from robot.hardware.so101.description import GRIPPER, JOINTS, LIMITS, MOTORS, OPEN_M, STALL_NM, so101_spec
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded

RADIANS = 2.0 * math.pi / STEPS
POSITION_MODE = 0
FASTEST = 254
_SHARE_TO_EDGE = 0.98
"""The share of a joint's calibrated range that is used: the range ends at the joint's mechanical stops."""
_FIRST_S = 1.0
_LOWEST_VOLTS = 4.5


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One servo: its `id`, whether its direction is reversed (`drive_mode` 1), the `homing_offset` that was written to
    it, and the range of its steps."""

    id: Annotated[int, msgspec.Meta(ge=0, le=252)]
    drive_mode: Annotated[int, msgspec.Meta(ge=0, le=1)]
    homing_offset: Annotated[int, msgspec.Meta(ge=-2047, le=2047)]
    range_min: Annotated[int, msgspec.Meta(ge=0, le=STEPS - 1)]
    range_max: Annotated[int, msgspec.Meta(ge=0, le=STEPS - 1)]

    @property
    def middle(self) -> float:
        """The steps at which the joint is at zero."""
        return 0.5 * (self.range_min + self.range_max)

    @property
    def direction(self) -> int:
        """1 where more steps are a larger angle, −1 where they are a smaller one."""
        return -1 if self.drive_mode else 1

    @property
    def half_range(self) -> float:
        """The joint's range to either side of zero, rad."""
        return 0.5 * (self.range_max - self.range_min) * RADIANS

    def angle(self, steps: float) -> float:
        """Return the joint's angle (rad) at `steps`."""
        return self.direction * (steps - self.middle) * RADIANS

    def steps(self, angle: float) -> int:
        """Return the steps nearest to `angle` (rad), within the range."""
        wanted = round(self.middle + self.direction * angle / RADIANS)
        return min(max(wanted, self.range_min), self.range_max)


def read_calibration(path: Path) -> dict[str, Calibration]:
    """Return the calibration of every servo by its name. Raises `ConfigurationError` for a file that is not a
    calibration."""
    try:
        found = msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=dict[str, Calibration])
    except OSError as error:
        raise ConfigurationError(f"the calibration file {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a calibration of an SO-101: {error}") from error
    if found.keys() != set(MOTORS):
        raise ConfigurationError(f"{path} is not a calibration of an SO-101: it has {', '.join(found) or 'no servo'}")
    if len({each.id for each in found.values()}) != len(found):
        raise ConfigurationError(f"{path} gives the same id to two servos")
    for name, each in found.items():
        if each.range_max - each.range_min < 100:
            raise ConfigurationError(
                f"{path} gives {name} a range of {each.range_max - each.range_min} steps; calibrate it again"
            )
    return found


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
        halves = [min(_SHARE_TO_EDGE * calibration[name].half_range, LIMITS[name]) for name in JOINTS]
        self.spec: ArmSpec = so101_spec(tuple(-half for half in halves), tuple(halves))

    def start(self) -> None:
        """Open the line, check that every servo is there and is the calibrated one, and hold the present position.

        Raises `ArmError` when a servo is missing, has another offset than the file says, or too little voltage.
        """
        bus = self._found()
        servos = self._first(bus)
        for name in MOTORS:
            calibrated, servo = self._calibration[name], servos[self._calibration[name].id]
            if servo.volts < _LOWEST_VOLTS:
                raise ArmError(
                    f"{name} (servo {calibrated.id}) has {servo.volts:.1f} V: is the power supply plugged in?"
                )
            bus.write(calibrated.id, ACCELERATION, 1, FASTEST)
            bus.write(calibrated.id, GOAL_SPEED, 2, 0)
        # Goals first, torque after: a servo whose torque is switched on jumps to its old goal.
        bus.move({calibrated.id: self._held(servos[calibrated.id]) for calibrated in self._calibration.values()})
        for name in MOTORS:
            bus.write(self._calibration[name].id, TORQUE, 1, 1)

    def start_reading(self) -> None:
        """Open the line and check that the arm is the calibrated one; nothing is written to a servo.

        Torque is never switched off here, because an arm that its motors hold up would fall. A leader's servos must
        therefore be limp already, as they are after power-on. Raises `ArmError` when one of them holds, when a servo is
        missing or has another offset than the file says.
        """
        bus = self._found()
        holding = [name for name in MOTORS if bus.read(self._calibration[name].id, TORQUE, 1)]
        if holding:
            raise ArmError(
                f"the motors hold the arm ({', '.join(holding)}): take it in your hand, cut its power and switch it on "
                "again; then it is limp and can lead"
            )
        self._first(bus)

    def read(self) -> Reading:
        """Return the newest measurement, or the last one again when an answer was lost. Raises `ArmError` when the line
        is gone."""
        servos = self._open().present()
        if servos is not None:
            self._reading = self._decoded(servos)
        if self._reading is None:
            raise ArmError(f"the servos on {self._port} have not answered yet")
        return self._reading

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Send every servo its goal. Raises `ArmError` when the line is gone."""
        goals = {
            self._calibration[name].id: self._calibration[name].steps(float(angle))
            for name, angle in zip(JOINTS, positions, strict=True)
        }
        gripper = self._calibration[GRIPPER]
        share = min(max(gripper_width / OPEN_M, 0.0), 1.0)
        goals[gripper.id] = gripper.steps((2.0 * share - 1.0) * gripper.half_range)
        self._open().move(goals)

    def park(self) -> None:
        """Leave the servos holding their last goals."""

    def close(self) -> None:
        """Close the line. The servos keep holding, with torque, until their power is cut."""
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

    def _held(self, servo: Servo) -> int:
        return min(max(servo.position, 0), STEPS - 1)

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
