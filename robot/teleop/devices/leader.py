"""A leader arm as an input device: the arm of another driver, usually moved by hand, which this one follows joint by
joint.

The arm follows only once both agree, so that it never jumps to where the leader is; with `align` it first moves there
slowly. Each reading is checked against the one before: a leader that jumps is let go, and the arm holds until both have
agreed again for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from itertools import takewhile

import numpy as np

from robot.arm.interface import ArmSpec
from robot.client.followed_driver import FollowedDriver
from robot.driver.modes import Mode
from robot.errors import ConfigurationError
from robot.teleop.devices.joint_map import JointMap
from robot.teleop.devices.leader_steps import LeaderSteps
from robot.teleop.input import STILL, Controls, JointTarget
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

TOLERANCE = 0.1
"""Difference between leader and follower, rad in each joint, that counts as agreement."""
ALIGN_SPEED = 0.05
"""Share of each joint's velocity limit during the slow motion to the leader."""
SILENT_NS = 250_000_000
SETTLED_NS = 500_000_000
"""After a jump both must agree for this long before the arm follows again: a broken encoder jumps again."""
HISTORY = 256
"""The number of readings to keep, so that each that came between two polls can be checked: a quarter of a second at
1 kHz."""
_GRIPPER_SHARE = 0.25


class Phase(Enum):
    """apart: the arms do not agree, and nothing moves. aligning: the arm moves slowly to the leader. following: the arm
    follows the leader."""

    APART = "apart"
    ALIGNING = "aligning"
    FOLLOWING = "following"


class Leader:
    """The arm of the followed driver `states`, which may end and come back; `joint_map` converts them for `follower`.

    It begins to follow when each joint is within `tolerance` rad; with `align` it first moves there slowly, once. A
    jump of the leader ends both. `states` should keep all readings that come between two polls, because each is
    checked. Raises `ConfigurationError` when `tolerance` is out of range.
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
        self._steps = LeaderSteps(states.arm, joint_map.leads, joint_map.gripper is not None)
        self._seen: JointState | None = None
        self._jumped = False
        self._agreed_ns = 0
        self.phase = Phase.APART

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the target of the arm, and a note on how both differ while they do not agree. Raises `OtherArm` when
        the leader's driver came back with another arm."""
        self._states.drain()
        news = self._check_steps(now_ns)
        newest = self._states.history[-1] if self._states.history else None
        if newest is None or now_ns - newest.time_ns > SILENT_NS:
            self.let_go()
            return Controls(away="the leader is silent", news=news)
        if newest.mode == Mode.FAULT.value:
            self.let_go()
            return Controls(away=f"the leader is in a fault: {newest.reason}", news=news)
        wanted = self._map.joints(newest)
        width = self._map.width(newest, follower.gripper_command)
        apart = np.abs(wanted - np.asarray(follower.governed)[self._map.follows])
        grip = abs(width - follower.gripper_command)
        if self.phase is not Phase.FOLLOWING:
            self._come_together(now_ns, bool(apart.max() <= self._tolerance and grip <= self._gripper_tolerance))
            if self.phase is not Phase.ALIGNING:
                self._others = np.asarray(follower.governed)
        if self.phase is Phase.APART:
            note = f"apart: {self._difference(apart, grip)}; bring the leader to the arm"
            if self._agreed_ns:
                note = "both agree again: hold the leader still for a moment"
            return Controls(STILL, note=note, news=news)
        target = self._others.copy()
        target[self._map.follows] = wanted
        aligning = self.phase is Phase.ALIGNING
        return Controls(
            JointTarget(tuple(target.tolist()), width, ALIGN_SPEED if aligning else self._dial.joints),
            note=f"aligning: {self._difference(apart, grip)}" if aligning else "",
            news=news,
        )

    def let_go(self) -> None:
        """Stop following until both agree again."""
        self.phase = Phase.APART

    def close(self) -> None:
        """Do nothing: the command that follows the leader's driver ends that."""

    def _check_steps(self, now_ns: int) -> str:
        """Check each reading that came since the last call; after a jump let go, and return a sentence that says so."""
        fresh = list(takewhile(lambda reading: reading is not self._seen, reversed(self._states.history)))
        if not fresh:
            return ""
        self._seen = fresh[0]
        jumps = [jump for reading in reversed(fresh) if (jump := self._steps.impossible(reading))]
        if not jumps:
            return ""
        self._agreed_ns = 0
        if self.phase is Phase.APART:
            return ""
        self.let_go()
        self._align, self._jumped = False, True
        return f"{jumps[0]}: the arm holds until the leader has agreed with it for {SETTLED_NS * 1e-9:g} s"

    def _come_together(self, now_ns: int, agree: bool) -> None:
        """Follow when both arms agree, after a jump only once they have for a while; align where that is asked for."""
        self._agreed_ns = (self._agreed_ns or now_ns) if agree else 0
        if agree and (not self._jumped or now_ns - self._agreed_ns >= SETTLED_NS):
            self.phase, self._align, self._jumped = Phase.FOLLOWING, False, False
        elif self._align:
            self.phase = Phase.ALIGNING

    def _difference(self, apart: np.ndarray, grip: float) -> str:
        worst = int(apart.argmax())
        if apart[worst] > self._tolerance:
            return f"{self._map.names[worst]} by {np.degrees(apart[worst]):.0f}°"
        return f"the gripper by {1e3 * grip:.0f} mm"
