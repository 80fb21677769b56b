"""Bringing the arm to where a model's actions begin, before its first action, by the way that the action convention
gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.waypoint_move import follow_waypoints
from robot.embodiment.convention import ArmConvention
from robot.errors import ArmError


def approach(client: Client, kinematics: Kinematics, convention: ArmConvention[Any]) -> None:
    """Bring the arm to where the convention's actions begin, unless it is there; the caller holds the lease.

    Raises `UnreachableError`, with nothing moved, when there is no way; `ArmError` when the arm does not arrive;
    and as `Client` does.
    """
    state = client.state()
    joints = np.asarray(state.governed)
    if convention.ready(kinematics, joints, state.gripper_command):
        return
    state = follow_waypoints(client, convention.entry(kinematics, joints, state.gripper_command))
    if not convention.ready(kinematics, np.asarray(state.governed), state.gripper_command):
        raise ArmError(f"the arm did not arrive where its actions begin: {', '.join(state.clamps) or 'it was held up'}")
