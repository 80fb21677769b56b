"""Bringing the tool to where a model's actions begin: up, over, and down beside the base, slowly and in straight lines.

A model knows the world only from inside its action convention's bounds, so before it is asked anything the tool must
be there.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.client.client import Client
from robot.client.tool_move import ToolSpeed, follow_waypoints, tool_waypoints
from robot.embodiment.actions import ActionConvention
from robot.errors import ArmError, UnreachableError
from robot.wire.messages import Waypoint

TOLERANCE_M = 0.01
TOLERANCE_RAD = 0.05
GRIPPER_TOLERANCE_M = 0.005
SPEED = ToolSpeed(tool_m_s=0.1, turn_rad_s=0.5, gripper_m_s=0.1)
CLEARANCE_M = 0.10
"""How far above the bounds the tool travels, so that it passes over what lies there."""


def approach(client: Client, kinematics: Kinematics, convention: ActionConvention) -> None:
    """Bring the tool inside the convention's bounds, unless it is there; the caller has the lease.

    Raises `UnreachableError`, with nothing moved, when there is no way; `ArmError` when the arm does not arrive;
    and as `Client` does.
    """
    state = client.state()
    joints = np.asarray(state.governed)
    here = kinematics.forward(joints)
    if in_bounds(here, state.gripper_command, convention):
        return
    state = follow_waypoints(client, _way(kinematics, convention, here, joints, state.gripper_command))
    if not in_bounds(kinematics.forward(np.asarray(state.governed)), state.gripper_command, convention):
        raise ArmError(f"the arm did not arrive where its actions begin: {', '.join(state.clamps) or 'it was held up'}")


def in_bounds(tool: Pose, gripper_width: float, convention: ActionConvention) -> bool:
    """Return whether a tool at `tool` with the gripper `gripper_width` m wide stands where actions may begin."""
    nearest = convention.at(tool, gripper_width)
    there = convention.pose(nearest)
    return (
        float(np.linalg.norm(tool.position - there.position)) <= TOLERANCE_M
        and float(np.linalg.norm(pin.log3(tool.rotation.T @ there.rotation))) <= TOLERANCE_RAD
        and abs(gripper_width - nearest.gripper_width) <= GRIPPER_TOLERANCE_M
    )


def _way(
    kinematics: Kinematics, convention: ActionConvention, here: Pose, joints: Vector, gripper_width: float
) -> list[Waypoint]:
    """Return waypoints, timed from 0, up to a height that clears the objects, over to the bounds' point nearest to
    the base, where the fewest things lie, and down to the bounds' top. A gripper that actions move stays as it is: it
    may hold something."""
    lower, upper = np.asarray(convention.bounds.lower), np.asarray(convention.bounds.upper)
    entry = np.clip(np.array([0.0, 0.0, upper[2]]), lower, upper)
    width = gripper_width if "gripper" in convention.axes else convention.gripper_width
    height = max(float(here.position[2]), float(entry[2]) + CLEARANCE_M)
    stops = [
        Pose(np.array([*here.position[:2], height]), here.rotation),
        convention.pose(convention.start(np.array([*entry[:2], height]))),
        convention.pose(convention.start(entry)),
    ]
    try:
        return tool_waypoints(kinematics, joints, gripper_width, stops, width, SPEED)
    except UnreachableError as error:
        raise UnreachableError(f"the arm cannot go in straight lines to where its actions begin: {error}") from error
