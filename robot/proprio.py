"""What the arm feels: the proprioceptive state that goes beside every picture, in data and on the wire alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot.arm import Vector
from robot.kinematics import Kinematics

STATE_NAMES = ("tool.x", "tool.y", "tool.z", "gripper.width", "setpoint.x", "setpoint.y", "setpoint.z")


def proprio(
    kinematics: Kinematics, measured: Sequence[float] | Vector, governed: Sequence[float] | Vector, gripper_width: float
) -> Vector:
    """Return the state (7,), ordered as `STATE_NAMES`, in m: the measured tool position, the gripper's width, and
    the tool position of the set-point that the governor let through, from joints (n,) rad."""
    tool = kinematics.position(np.asarray(measured))
    setpoint = kinematics.position(np.asarray(governed))
    return np.array([*tool, gripper_width, *setpoint])
