"""Moving the tool through poses in straight lines, each at a given speed, and waiting for rest at the last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.client.client import Client
from robot.client.rest import wait_for_rest
from robot.motion.tool_path import straight_waypoints
from robot.wire.messages import JointState, Waypoint

SPACING_S = 0.05
LEAST_S = 0.4
"""A line takes at least this long, however short it is."""
_BATCH = 60
"""Waypoints a command; the driver takes up to 64."""
_LEAD_S = 0.3
"""How long before its first waypoint a batch is sent."""
_RENEW_S = 0.2


@dataclass(frozen=True)
class ToolSpeed:
    """How fast a line may be: the tool in m/s, its orientation in rad/s, the gripper's width in m/s."""

    tool_m_s: float
    turn_rad_s: float
    gripper_m_s: float

    def duration_s(self, start: Pose, end: Pose, gripper_change_m: float) -> float:
        """Return how long a line from `start` to `end` takes while the gripper's width changes by so much, in s."""
        way_m = float(np.linalg.norm(end.position - start.position))
        turn_rad = float(np.linalg.norm(pin.log3(start.rotation.T @ end.rotation)))
        return max(
            LEAST_S,
            way_m / self.tool_m_s,
            turn_rad / self.turn_rad_s,
            abs(gripper_change_m) / self.gripper_m_s,
        )


def tool_waypoints(
    kinematics: Kinematics,
    joints: Vector,
    gripper_width: float,
    stops: Sequence[Pose],
    stop_width: float,
    speed: ToolSpeed,
) -> list[Waypoint]:
    """Return waypoints, timed from 0, that take the tool in straight lines through the poses `stops`.

    The arm begins at `joints` (n,) rad with the gripper `gripper_width` m wide; all waypoints carry the width
    `stop_width` m. Raises `UnreachableError` when a point of a line cannot be reached.
    """
    waypoints: list[Waypoint] = []
    here, elapsed_ns = kinematics.forward(joints), 0
    for stop in stops:
        seconds = speed.duration_s(here, stop, stop_width - gripper_width)
        count = round(seconds / SPACING_S)
        line = straight_waypoints(kinematics, here, stop, joints, elapsed_ns, seconds, count, stop_width)
        waypoints += line
        elapsed_ns += round(seconds * 1e9)
        here, joints, gripper_width = stop, np.asarray(line[-1].positions), stop_width
    return waypoints


def follow_waypoints(client: Client, waypoints: Sequence[Waypoint]) -> JointState:
    """Send `waypoints`, at least one and timed from 0, so that they begin in 0.3 s; wait for rest; return the state
    then. The caller holds the lease, which is kept.

    They go out a batch at a time, each before the one before it ends. Raises as `wait_for_rest`.
    """
    begins_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
    for first in range(0, len(waypoints), _BATCH):
        batch = [
            Waypoint(begins_ns + waypoint.time_ns, waypoint.positions, waypoint.gripper_width)
            for waypoint in waypoints[first : first + _BATCH]
        ]
        client.send_waypoints(batch, batch[0].time_ns)
        _wait_until(client, batch[-1].time_ns - round(_LEAD_S * 1e9))
    return wait_for_rest(client)


def _wait_until(client: Client, time_ns: int) -> None:
    """Sleep until the monotonic `time_ns`, keeping the lease."""
    while (left_s := (time_ns - time.monotonic_ns()) * 1e-9) > 0:
        time.sleep(min(left_s, _RENEW_S))
        client.renew()
