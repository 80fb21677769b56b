"""The path of the tool to where tool displacements begin: up, over, and down near the base, in slow straight lines.

A model has seen the tool only inside its action convention's bounds, so the tool must be there before the first action.
"""

from __future__ import annotations

import numpy as np

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.errors import UnreachableError
from robot.motion.tool_path import ToolSpeed, tool_waypoints
from robot.wire.messages import Waypoint

TOLERANCE_M = 0.01
TOLERANCE_RAD = 0.05
GRIPPER_TOLERANCE_M = 0.005
"""How far from the nearest set-point a tool, its rotation and its gripper may be for actions to begin there."""
SPEED = ToolSpeed(tool_m_s=0.1, turn_rad_s=0.5, gripper_m_s=0.1)
CLEARANCE_M = 0.10
"""How far above the bounds the tool travels, so that it passes over what lies there."""


def path_to_start(
    kinematics: Kinematics, entry: Pose, width: float, joints: Vector, gripper_width: float
) -> tuple[Waypoint, ...]:
    """Return waypoints, timed from 0, from `joints` (n,) rad and a gripper `gripper_width` m wide: up to a height that
    clears the objects, over to above `entry`, and down to it, with the gripper `width` m wide.

    Raises `UnreachableError` when the arm cannot go there in straight lines.
    """
    here = kinematics.forward(joints)
    height = max(float(here.position[2]), float(entry.position[2]) + CLEARANCE_M)
    stops = [
        Pose(np.array([*here.position[:2], height]), here.rotation),
        Pose(np.array([*entry.position[:2], height]), entry.rotation),
        entry,
    ]
    try:
        return tuple(tool_waypoints(kinematics, joints, gripper_width, stops, width, SPEED))
    except UnreachableError as error:
        raise UnreachableError(f"the arm cannot go in straight lines to where its actions begin: {error}") from error
