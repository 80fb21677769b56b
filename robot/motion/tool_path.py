"""Straight-line motion of the tool, as timed joint waypoints.

The position runs along the line at constant speed while the orientation turns about one fixed axis (slerp).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ConfigurationError
from robot.wire.messages import Waypoint

# A redundant arm reaches a pose with many postures, and a chain of nearest postures drifts without bound. Pulling each
# search towards home at this rate (1/s) makes the posture almost a function of the pose.
POSTURE_RATE = 1.0
SPACING_S = 0.05
"""Time between the waypoints of a line at a given speed."""
LEAST_S = 0.4
"""A line at a given speed takes at least this long, however short it is."""


def straight_waypoints(
    kinematics: Kinematics,
    start: Pose,
    end: Pose,
    seed: Vector,
    start_ns: int,
    duration_s: float,
    count: int,
    gripper_width: float,
) -> tuple[Waypoint, ...]:
    """Return `count` waypoints, evenly spaced in time, that take the tool from `start` to `end` in a straight line.

    `seed` (n,) rad are the joints at `start`. The first waypoint is one step after it, the last is at `end` at
    `start_ns` + `duration_s`. The search for each waypoint starts only at the one before, pulled slightly towards the
    arm's home, so that the posture never flips on the way. All waypoints have the gripper width `gripper_width` (m).
    Raises `UnreachableError` when a point of the line cannot be reached in that way, and `ConfigurationError` when
    `count` or `duration_s` is not positive.
    """
    if count < 1 or not duration_s > 0.0:
        raise ConfigurationError(f"a line needs at least one waypoint and some time, not {count} in {duration_s} s")
    turn = pin.log3(start.rotation.T @ end.rotation)
    travel = end.position - start.position
    pull = 1.0 - math.exp(-POSTURE_RATE * duration_s / count)
    joints = seed
    waypoints = []
    for index in range(1, count + 1):
        share = index / count
        rotation = start.rotation @ pin.exp3(share * turn)
        target = Pose(start.position + share * travel, rotation)
        joints = kinematics.inverse(target, joints + pull * (kinematics.home - joints), restarts=0)
        time_ns = start_ns + round(share * duration_s * 1e9)
        waypoints.append(Waypoint(time_ns, tuple(joints.tolist()), gripper_width))
    return tuple(waypoints)


@dataclass(frozen=True)
class ToolSpeed:
    """The largest speeds on a line: the tool in m/s, its orientation in rad/s, the gripper's width in m/s."""

    tool_m_s: float
    turn_rad_s: float
    gripper_m_s: float

    def duration_s(self, start: Pose, end: Pose, gripper_change_m: float) -> float:
        """Return the duration (s) of a line from `start` to `end` during which the gripper's width changes by
        `gripper_change_m`."""
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

    The arm begins at `joints` (n,) rad with the gripper `gripper_width` m wide; all waypoints have the gripper width
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
