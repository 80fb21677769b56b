"""The readings of an arm at one moment, from which every entry of a state is computed, live and from recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.arm.kinematics import Pose


@dataclass(frozen=True)
class ArmSample:
    """`measured` and `governed` joints (n,) rad, and the poses that they give the tool: `tool` and `setpoint`.

    `gripper_width` is measured, and `gripper_command` is the width that was commanded, both in m. `effort` (n,) N·m is
    empty for an arm that measures none. `yaw` returns the angle (rad) about the vertical from the action convention's
    reference rotation to a rotation (3, 3).
    """

    measured: Vector
    governed: Vector
    tool: Pose
    setpoint: Pose
    gripper_width: float
    gripper_command: float
    effort: Vector
    yaw: Callable[[NDArray[np.float64]], float]
