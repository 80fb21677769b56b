"""Sets the stage in the real processes: brings the simulated arm to a goal's start and puts the objects there."""

from __future__ import annotations

import time

import numpy as np
import pinocchio as pin

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.embodiment.actions import ActionConvention
from robot.errors import ConnectionLost
from robot.motion.tool_path import straight_waypoints
from sim.policies.interface import Start
from sim.world.scene import on_shelf

SPEED_M_S = 0.25
TURN_RAD_S = 1.0
SPACING_S = 0.05
# Nothing hurries here, and a machine that is busy may need it to work out the way.
LEAD_NS = 250_000_000
SETTLE_S = 0.3
TIMEOUT_S = 10.0


def set_stage(command_address: str, convention: ActionConvention, start: Start) -> None:
    """Move the tool to where `start` has it, in a straight line, and put its objects on the table and all others away;
    then let go of the arm, everything at rest.

    Raises `ConnectionLost` when the driver goes away or the arm does not arrive, `Refused` when another holds it.
    """
    with Client(command_address) as client:
        kinematics = Kinematics(client.arm)
        client.acquire("stage", ttl_s=2.0)
        joints = np.asarray(client.state().governed)
        here = kinematics.forward(joints)
        there = convention.pose(start.tool)
        way = float(np.linalg.norm(there.position - here.position))
        turn = float(np.linalg.norm(pin.log3(here.rotation.T @ there.rotation)))
        if way > 1e-4 or turn > 1e-3:
            seconds = max(0.4, way / SPEED_M_S, turn / TURN_RAD_S)
            waypoints = straight_waypoints(
                kinematics,
                here,
                there,
                joints,
                time.monotonic_ns() + LEAD_NS,
                seconds,
                max(2, round(seconds / SPACING_S)),
                start.tool.gripper_width,
            )
            client.send_waypoints(waypoints, waypoints[0].time_ns)
            _wait_for_rest(client, waypoints[-1].time_ns)
        with SceneClient(client.state_address) as scenes:
            there_now = scenes.latest(TIMEOUT_S).objects
            wanted = {item.name for item in start.objects}
            away = [on_shelf(item.name, i) for i, item in enumerate(there_now) if item.name not in wanted]
            client.place_objects([*start.objects, *away])
            scenes.latest(TIMEOUT_S, after_ns=time.monotonic_ns() + round(SETTLE_S * 1e9))


def _wait_for_rest(client: Client, until_ns: int) -> None:
    """Wait until the arm has arrived and stands still, keeping the lease."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        state = client.state()
        if state.time_ns > until_ns and max(map(abs, state.governed_velocity)) < 1e-4:
            return
        client.renew()
        time.sleep(0.05)
    raise ConnectionLost(f"the arm did not come to rest within {TIMEOUT_S:.0f} s of being sent to the start")
