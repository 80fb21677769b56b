"""Finds steps between two readings of a leader that no arm can make: an encoder that wraps, a lost and found cable, an
arm that was moved while nothing was read."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec
from robot.wire.messages import JointState

HAND_RAD_S = 2.0 * math.pi
"""The fastest motion of a joint by hand that counts as possible."""
_HURRY = 1.2
"""A driven arm may exceed its joints' velocity limits by this factor, by overshoot."""
NOISE = 0.02
"""Noise of a reading, rad."""
LONGEST_S = 0.05
"""After a longer gap between two readings no larger step is accepted: nobody knows where the arm has been."""
_GRIPPER_S = 0.1
"""The shortest time in which a gripper opens or closes."""
_GRIPPER_NOISE = 0.05
"""Noise of a gripper's reading, as a share of its range."""


class LeaderSteps:
    """Compares each reading of the arm `leader` with the one before; only its joints with the indices `leads`, and the
    gripper if `gripper`, count."""

    def __init__(self, leader: ArmSpec, leads: NDArray[np.intp], gripper: bool) -> None:
        self._leads = leads
        self._names = [leader.joint_names[index] for index in leads]
        self._fastest = np.maximum(HAND_RAD_S, _HURRY * np.asarray(leader.velocity)[leads])
        self._opens = leader.gripper_range[1] - leader.gripper_range[0]
        self._gripper = gripper and self._opens > 0.0
        self._before: JointState | None = None

    def impossible(self, reading: JointState) -> str:
        """Return a sentence about the joint that moved too far since the reading before, empty when all could. The next
        call compares with `reading`."""
        before, self._before = self._before, reading
        if before is None:
            return ""
        seconds = max(0.0, (reading.time_ns - before.time_ns) * 1e-9)
        counted_s = min(seconds, LONGEST_S)
        moved = np.abs(np.subtract(reading.measured, before.measured))[self._leads]
        share = moved / (NOISE + self._fastest * counted_s)
        worst = int(share.argmax())
        if share[worst] > 1.0:
            return self._sentence(self._names[worst], f"{np.degrees(moved[worst]):.0f}°", seconds)
        width = abs(reading.gripper_width - before.gripper_width)
        if self._gripper and width > self._opens * (_GRIPPER_NOISE + counted_s / _GRIPPER_S):
            return self._sentence("gripper", f"{1e3 * width:.0f} mm", seconds)
        return ""

    @staticmethod
    def _sentence(joint: str, by: str, seconds: float) -> str:
        return f"the leader's {joint} jumped by {by} in {1e3 * seconds:.0f} ms, more than an arm can move"
