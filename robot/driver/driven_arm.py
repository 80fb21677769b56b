"""The arm as the driver's loop drives it: what was last measured and commanded, through the governor and into the
flight log, and what shows that the arm does not follow or bears too much."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

import numpy as np

from robot.arm.checked_calls import arm_faults, read
from robot.arm.effort_limit import EffortMonitor
from robot.arm.following import FollowingMonitor
from robot.arm.interface import Arm, Inspectable, Reading
from robot.errors import ArmError, ConfigurationError
from robot.flight_log.logged_servo import LoggedServo
from robot.flight_log.records import Measured
from robot.motion.servo import SetPoint

STARTUP_S = 2.0
"""How long an arm that was just enabled is limited to less than its full speed: the person who enabled it stands beside
it."""
STILL = 0.02
"""rad/s; the arm stands still when every joint is measured slower than this."""


class DrivenArm:
    """`arm`, whose set-points come from `servo`.

    `reading` is what was last measured, `set_point` what was last commanded, at `set_point_ns`; all three are valid
    once the arm is engaged. It `is_mute` while it accepts no set-points.
    """

    reading: Reading
    set_point: SetPoint
    set_point_ns: int

    def __init__(self, arm: Arm, servo: LoggedServo) -> None:
        self._arm, self._servo = arm, servo
        self._effort = EffortMonitor(arm.spec)
        self._following = FollowingMonitor(arm.spec)
        self.is_mute = False

    def start(self) -> None:
        """Start the arm; one that can be inspected is not enabled where the governor does not accept it. Raises
        `ArmError` or `ConfigurationError`."""
        with arm_faults(but=ConfigurationError):
            if isinstance(self._arm, Inspectable):
                found = self._arm.inspect()
                self._servo.engage(np.array(found.positions), found.gripper_width)
            self._arm.start()

    def engage_first(self) -> None:
        """Engage at the arm's present position, so that the first set-point is the measured position."""
        self.reading = read(self._arm)
        self._engage(self.reading.gripper_width, STARTUP_S)
        self._next_set_point(time.monotonic_ns())

    def engage_again(self) -> None:
        """Engage where the arm was last measured, as it may have been pushed since it came to rest. The gripper keeps
        its command, so that it does not drop an object. Raises `ArmError` outside the limits."""
        self._engage(self.set_point.gripper_width)

    def restart(self) -> None:
        """Open the arm's link again and engage at the arm's present position. The loop waits meanwhile: there is
        nothing that it could command. Raises `ArmError` or `ConfigurationError` when the arm still does not start."""
        self.is_mute = True  # the old link takes no more set-points, and the new one none before it has started
        with suppress(ArmError), arm_faults():
            self._arm.close()  # the old link, whose failure caused the fault; closing it may fail too
        self.start()
        self.engage_first()
        if not self.stands_still:
            raise ArmError("the arm is in motion")
        with arm_faults():  # an arm that does not accept its present position is still in a fault
            self._arm.write(self.set_point.governed, self.set_point.gripper_width)
        self.is_mute = False

    @property
    def stands_still(self) -> bool:
        """Whether the arm was last measured at rest."""
        return max(map(abs, self.reading.velocities)) < STILL

    def measure(self) -> str:
        """Read the arm; return a message when it bears too much, else "". Raises `ArmError` when it cannot be read, or
        does not follow."""
        reading = self.reading = read(self._arm)
        self._servo.note(
            Measured(reading.time_ns, reading.positions, reading.velocities, reading.gripper_width, reading.efforts)
        )
        if astray := self._following.see(reading):
            raise ArmError(astray)
        return self._effort.see(reading)

    def advance(self, now_ns: int) -> None:
        """Write the next set-point. Raises `ArmError` when the arm does not accept it, and is mute from then on."""
        self._next_set_point(now_ns)
        try:
            with arm_faults():
                self._arm.write(self.set_point.governed, self.set_point.gripper_width)
        except ArmError:
            self.is_mute = True
            # The arm's motion is unknown now, but it is no longer commanded to move.
            self.set_point = replace(self.set_point, velocity=np.zeros_like(self.set_point.velocity))
            raise
        self._following.command(self.set_point.governed)

    def _engage(self, gripper_width: float, ramp_s: float = 0.0) -> None:
        self._servo.engage(np.array(self.reading.positions), gripper_width, ramp_s)
        self._following.begin()

    def _next_set_point(self, now_ns: int) -> None:
        self.set_point = self._servo.tick(now_ns)
        self.set_point_ns = time.monotonic_ns()
