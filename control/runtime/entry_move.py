"""Bringing the tool to where a model's actions begin: up, over, and down beside the base, slowly and in straight lines.

A model knows the world only from inside its action convention's bounds, so before it is asked anything the tool must
be there.
"""

from __future__ import annotations

import time

import numpy as np
import pinocchio as pin

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.client.client import Client
from robot.embodiment.actions import ActionConvention
from robot.errors import ArmError, UnreachableError
from robot.motion.tool_path import straight_waypoints
from robot.wire.messages import Waypoint

TOLERANCE_M = 0.01
TOLERANCE_RAD = 0.05
GRIPPER_TOLERANCE_M = 0.005
SPEED_M_S = 0.1
TURN_RAD_S = 0.5
GRIPPER_M_S = 0.1
CLEARANCE_M = 0.10
"""How far above the bounds the tool travels, so that it passes over what lies there."""
REST_TIMEOUT_S = 3.0

_SPACING_S = 0.05
_BATCH = 20
_LEAD_S = 0.3
_COMMANDED_STILL = 1e-3
_MEASURED_STILL = 0.02


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
    waypoints = _way(kinematics, convention, here, joints, state.gripper_command)
    _follow(client, waypoints)
    state = client.state()
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
    waypoints: list[Waypoint] = []
    elapsed_ns = 0
    for stop in stops:
        way_m = float(np.linalg.norm(stop.position - here.position))
        turn_rad = float(np.linalg.norm(pin.log3(here.rotation.T @ stop.rotation)))
        grip_m = abs(width - gripper_width)
        seconds = max(way_m / SPEED_M_S, turn_rad / TURN_RAD_S, grip_m / GRIPPER_M_S, 4 * _SPACING_S)
        try:
            leg = straight_waypoints(
                kinematics,
                here,
                stop,
                joints,
                elapsed_ns,
                seconds,
                round(seconds / _SPACING_S),
                width,
            )
        except UnreachableError as error:
            raise UnreachableError(
                f"the arm cannot go in straight lines to where its actions begin: {error}"
            ) from error
        waypoints += leg
        elapsed_ns += round(seconds * 1e9)
        here, joints, gripper_width = stop, np.asarray(leg[-1].positions), width
    return waypoints


def _follow(client: Client, waypoints: list[Waypoint]) -> None:
    """Send `waypoints`, timed from 0, a batch at a time, each before the one before it ends; wait for rest."""
    begins_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
    for first in range(0, len(waypoints), _BATCH):
        batch = [
            Waypoint(begins_ns + waypoint.time_ns, waypoint.positions, waypoint.gripper_width)
            for waypoint in waypoints[first : first + _BATCH]
        ]
        client.send_waypoints(batch)
        _wait_until(client, batch[-1].time_ns - round(_LEAD_S * 1e9))
    rest(client)


def rest(client: Client) -> None:
    """Wait, keeping the lease, until the arm has finished its waypoints and stands still.

    Raises `ArmError` when it does not come to rest in a few seconds.
    """
    # A state from before now may not know of the waypoints that were sent last.
    asked_ns = time.monotonic_ns()
    deadline = time.monotonic() + REST_TIMEOUT_S
    while time.monotonic() < deadline:
        state = client.state()
        commanded, measured = max(map(abs, state.governed_velocity)), max(map(abs, state.measured_velocity))
        fresh = state.time_ns > max(asked_ns, state.active_until_ns)
        if fresh and commanded < _COMMANDED_STILL and measured < _MEASURED_STILL:
            return
        client.renew()
        time.sleep(0.02)
    raise ArmError(f"the arm did not come to rest within {REST_TIMEOUT_S:g} s")


def _wait_until(client: Client, time_ns: int) -> None:
    """Sleep until the monotonic `time_ns`, keeping the lease."""
    while (left_s := (time_ns - time.monotonic_ns()) * 1e-9) > 0:
        time.sleep(min(left_s, 0.2))
        client.renew()
