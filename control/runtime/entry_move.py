"""Moves the arm, before a model's first action, to a start position of the action convention, along the convention's
own path."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.rest import wait_for_rest
from robot.client.waypoint_move import follow_waypoints
from robot.embodiment.convention import ArmConvention
from robot.errors import ArmError


def approach(client: Client, kinematics: Kinematics, convention: ArmConvention[Any]) -> None:
    """Move the arm to a start position of `convention`, unless it is at one. The caller holds the lease.

    Raises `UnreachableError`, before anything moves, when no path is found; `ArmError` when the arm does not arrive;
    and as `Client` does.
    """
    state = wait_for_rest(client)
    joints = np.asarray(state.governed)
    if convention.ready(kinematics, joints, state.gripper_command):
        return
    state = follow_waypoints(client, convention.entry(kinematics, joints, state.gripper_command))
    if not convention.ready(kinematics, np.asarray(state.governed), state.gripper_command):
        raise ArmError(f"the arm did not arrive where its actions begin: {', '.join(state.clamps) or 'it was held up'}")
