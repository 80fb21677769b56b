"""An arm of your own for worldarm: three joints and a gripper on a desk, each with a motor that follows a goal.

The motors here are stand-ins that live in this file; put your motors' library in their place. Everything else, the
governor, the lease, the flight log and the wire, comes with the driver.
"""

from __future__ import annotations

import time

import numpy as np

from robot.arm.interface import ArmOptions, ArmSpec, Box, Capsule, Reading, Vector
from robot.errors import ArmError, ConfigurationError

URDF = """
<robot name="desk">
  <link name="base"/><link name="turret"/><link name="upper"/><link name="lower"/><link name="tip"/>
  <joint name="turn" type="revolute"><origin xyz="0 0 0.10"/><parent link="base"/><child link="turret"/>
    <axis xyz="0 0 1"/><limit lower="-2.6" upper="2.6" velocity="2" effort="3"/></joint>
  <joint name="raise" type="revolute"><origin xyz="0 0 0.05"/><parent link="turret"/><child link="upper"/>
    <axis xyz="0 1 0"/><limit lower="-1.5" upper="1.5" velocity="2" effort="3"/></joint>
  <joint name="bend" type="revolute"><origin xyz="0 0 0.20"/><parent link="upper"/><child link="lower"/>
    <axis xyz="0 1 0"/><limit lower="0" upper="2.4" velocity="2" effort="3"/></joint>
  <joint name="tip_joint" type="fixed"><origin xyz="0 0 0.18"/><parent link="lower"/><child link="tip"/></joint>
</robot>
"""

SPEC = ArmSpec(
    name="desk",
    joint_names=("turn", "raise", "bend"),
    lower=(-2.6, -1.5, 0.0),
    upper=(2.6, 1.5, 2.4),
    velocity=(2.0, 2.0, 2.0),  # rad/s, what the motors do with a load, not without
    acceleration=(10.0, 10.0, 10.0),
    jerk=(200.0, 200.0, 200.0),
    rate_hz=100.0,
    urdf=URDF,
    tool_frame="tip",
    home=(0.0, 0.2, 1.4),
    workspace=Box((-0.40, -0.40, 0.02), (0.40, 0.40, 0.55)),
    table_height=0.0,
    gripper_range=(0.0, 0.05),
    bodies=(
        Capsule("base", (0.0, 0.0, 0.0), (0.0, 0.0, 0.08), 0.06),
        Capsule("upper", (0.0, 0.0, 0.0), (0.0, 0.0, 0.20), 0.03),
        Capsule("lower", (0.0, 0.0, 0.0), (0.0, 0.0, 0.14), 0.025),
        Capsule("lower", (0.0, 0.0, 0.15), (0.0, 0.0, 0.18), 0.02, handles=True),
    ),
)


class Motors:
    """A stand-in for a motor library: goals in radians go in, positions come out. Put yours here."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.torque = False
        self._goal = np.array([*SPEC.home, 0.05])
        self._position = self._goal.copy()
        self._moved = time.monotonic()

    def positions(self) -> np.ndarray:
        """Where the motors are, (4,): a tenth of a second behind their goals or less."""
        now = time.monotonic()
        if self.torque:
            self._position += (self._goal - self._position) * (1.0 - np.exp(-(now - self._moved) / 0.03))
        self._moved = now
        return self._position.copy()

    def follow(self, goal: np.ndarray) -> None:
        """Go to `goal` (4,)."""
        self.positions()
        self._goal = goal


def make_arm(options: ArmOptions) -> DeskArm:
    """The factory that the entry point names. Raise `ConfigurationError` for what the user must give and did not."""
    if options.address is None:
        raise ConfigurationError("a desk arm needs its port: --address /dev/ttyUSB0")
    return DeskArm(options.address)


class DeskArm:
    """What the driver calls at the loop rate, in this order: start, then read and write each period, park, close."""

    def __init__(self, port: str) -> None:
        self.spec = SPEC
        self._port = port
        self._motors: Motors | None = None
        self._last: tuple[float, np.ndarray] | None = None

    def start(self) -> None:
        """Open the link and enable the arm without moving it. Raise `ArmError` when that cannot be."""
        motors = Motors(self._port)
        # Goals first, torque after: a motor that is switched on jumps to whatever goal it still has.
        motors.follow(motors.positions())
        motors.torque = True
        self._motors = motors

    def read(self) -> Reading:
        """Return the newest measurement, with the time at which it was taken: if the link falls silent, return the old
        one with its old time, and the driver notices."""
        positions = self._link().positions()
        now = time.monotonic()
        last = self._last or (now - 1.0, positions)
        velocities = (positions - last[1]) / max(now - last[0], 1e-3)
        self._last = (now, positions)
        return Reading(
            time_ns=round(now * 1e9),
            positions=tuple(positions[:3].tolist()),
            velocities=tuple(velocities[:3].tolist()),
            gripper_width=float(positions[3]),
        )

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Command set-points (3,) rad and the gripper's width (m). They have passed the governor."""
        self._link().follow(np.array([*positions, gripper_width]))

    def park(self) -> None:
        """Leave the arm holding by itself. Never drop torque here: the arm may be up."""

    def close(self) -> None:
        """Release the link; the arm goes on holding."""
        self._motors = None

    def _link(self) -> Motors:
        if self._motors is None:
            raise ArmError("the desk arm is not started")
        return self._motors
