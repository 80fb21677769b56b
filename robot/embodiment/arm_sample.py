"""What is known of an arm at one moment: from it every entry of a state is computed, live and from recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.arm.kinematics import Pose


@dataclass(frozen=True)
class ArmSample:
    """`measured` and `governed` joints (n,) rad, and where they put the tool: `tool` and `setpoint`. `gripper_width` is
    measured and `gripper_command` is the width that the gripper was sent to, m. `effort` (n,) N·m is empty for an arm
    that measures none. `yaw` returns by how much (rad, about the vertical) a rotation (3, 3) is turned from the one
    that the action convention counts from."""

    measured: Vector
    governed: Vector
    tool: Pose
    setpoint: Pose
    gripper_width: float
    gripper_command: float
    effort: Vector
    yaw: Callable[[NDArray[np.float64]], float]
