"""A leader arm as an input device: the arm of another driver, usually moved by hand, which this one follows joint by
joint.

The arm follows only once both agree, so that it never jumps to where the leader is; with `align` it first moves there
slowly.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from robot.arm.interface import ArmSpec
from robot.client.followed_driver import FollowedDriver
from robot.driver.modes import Mode
from robot.errors import ConfigurationError
from robot.teleop.devices.joint_map import JointMap
from robot.teleop.input import STILL, Controls, JointTarget
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

TOLERANCE = 0.1
"""Difference between leader and follower, rad in each joint, that counts as agreement."""
ALIGN_SPEED = 0.05
"""Share of each joint's velocity limit during the slow motion to the leader."""
SILENT_NS = 250_000_000
_GRIPPER_SHARE = 0.25


class Phase(Enum):
    """apart: the arms do not agree, and nothing moves. aligning: the arm moves slowly to the leader. following: the arm
    follows the leader."""

    APART = "apart"
    ALIGNING = "aligning"
    FOLLOWING = "following"


class Leader:
    """The arm of the followed driver `states`, which may end and come back; `joint_map` converts them for `follower`.

    It begins to follow when each joint is within `tolerance` rad; with `align` it first moves there slowly, once.
    Raises `ConfigurationError` when `tolerance` is out of range.
    """

    name = "leader"
    help: Sequence[str] = ("move the leader: the arm follows once both agree",)

    def __init__(
        self,
        states: FollowedDriver,
        joint_map: JointMap,
        follower: ArmSpec,
        dial: Dial,
        tolerance: float = TOLERANCE,
        align: bool = False,
    ) -> None:
        if not 0.0 < tolerance <= 0.5:
            raise ConfigurationError(f"--tolerance must be above 0 and at most 0.5 rad, not {tolerance:g}")
        self._states = states
        self._map = joint_map
        self._dial = dial
        self._tolerance = tolerance
        closed, opened = follower.gripper_range
        self._gripper_tolerance = _GRIPPER_SHARE * (opened - closed)
        self._align = align
        self._others = np.asarray(follower.home)
        self.phase = Phase.APART

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the target of the arm, and a note on how both differ while they do not agree. Raises `OtherArm` when
        the leader's driver came back with another arm."""
        self._states.drain()
        newest = self._states.history[-1] if self._states.history else None
        if newest is None or now_ns - newest.time_ns > SILENT_NS:
            self.let_go()
            return Controls(away="the leader is silent")
        if newest.mode == Mode.FAULT.value:
            self.let_go()
            return Controls(away=f"the leader is in a fault: {newest.reason}")
        wanted = self._map.joints(newest)
        width = self._map.width(newest, follower.gripper_command)
        apart = np.abs(wanted - np.asarray(follower.governed)[self._map.follows])
        grip = abs(width - follower.gripper_command)
        if self.phase is not Phase.FOLLOWING:
            if apart.max() <= self._tolerance and grip <= self._gripper_tolerance:
                self.phase, self._align = Phase.FOLLOWING, False
            elif self._align:
                self.phase = Phase.ALIGNING
            if self.phase is not Phase.ALIGNING:
                self._others = np.asarray(follower.governed)
        if self.phase is Phase.APART:
            return Controls(STILL, note=f"apart: {self._difference(apart, grip)}; bring the leader to the arm")
        target = self._others.copy()
        target[self._map.follows] = wanted
        aligning = self.phase is Phase.ALIGNING
        return Controls(
            JointTarget(tuple(target.tolist()), width, ALIGN_SPEED if aligning else self._dial.joints),
            note=f"aligning: {self._difference(apart, grip)}" if aligning else "",
        )

    def let_go(self) -> None:
        """Stop following until both agree again."""
        self.phase = Phase.APART

    def close(self) -> None:
        """Do nothing: the command that follows the leader's driver ends that."""

    def _difference(self, apart: np.ndarray, grip: float) -> str:
        worst = int(apart.argmax())
        if apart[worst] > self._tolerance:
            return f"{self._map.names[worst]} by {np.degrees(apart[worst]):.0f}°"
        return f"the gripper by {1e3 * grip:.0f} mm"
