"""Sets up a start in the real processes: moves the simulated arm there and places the objects."""

from __future__ import annotations

import time

import numpy as np
import pinocchio as pin

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.hold_ups import again_when_held_up
from robot.client.rest import take_over
from robot.client.scene_client import SceneClient
from robot.client.waypoint_move import follow_waypoints
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.motion.tool_path import ToolSpeed, tool_waypoints
from sim.policies.interface import Start
from sim.world.scene import on_shelf

SPEED = ToolSpeed(tool_m_s=0.25, turn_rad_s=1.0, gripper_m_s=0.25)
SETTLE_S = 0.3
TIMEOUT_S = 10.0


def set_up_start(command_address: str, convention: ToolDisplacement, start: Start) -> None:
    """Move the tool to its pose in `start` in a straight line, put the objects of `start` on the table and all others
    away, and give the lease back with everything at rest. Begins again when the driver was held up meanwhile.

    Raises `ConnectionLost` when the driver goes away, `ArmError` when the arm does not come to rest, `UnreachableError`
    when no straight line leads there, and `Refused` when another client holds the lease.
    """
    again_when_held_up(lambda: _set_up(command_address, convention, start))


def _set_up(command_address: str, convention: ToolDisplacement, start: Start) -> None:
    with Client(command_address) as client:
        kinematics = Kinematics(client.arm)
        state = take_over(client, "stage", 2.0)
        joints = np.asarray(state.governed)
        here = kinematics.forward(joints)
        there = convention.pose(start.tool)
        way = float(np.linalg.norm(there.position - here.position))
        turn = float(np.linalg.norm(pin.log3(here.rotation.T @ there.rotation)))
        if way > 1e-4 or turn > 1e-3:
            width = start.tool.gripper_width
            follow_waypoints(client, tool_waypoints(kinematics, joints, state.gripper_command, [there], width, SPEED))
        with SceneClient(client.state_address) as scenes:
            there_now = scenes.latest(TIMEOUT_S).objects
            wanted = {item.name for item in start.objects}
            away = [on_shelf(item.name, i) for i, item in enumerate(there_now) if item.name not in wanted]
            client.place_objects([*start.objects, *away])
            scenes.latest(TIMEOUT_S, after_ns=time.monotonic_ns() + round(SETTLE_S * 1e9))
