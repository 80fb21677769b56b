"""The tool goes through poses in straight lines at the speed asked for, and waits for rest, through a real driver."""

from __future__ import annotations

import time

import numpy as np
import pytest

from robot.arm.kinematics import Kinematics, Pose
from robot.client.rest import wait_for_rest
from robot.client.waypoint_move import follow_waypoints
from robot.errors import ArmError, Refused, UnreachableError
from robot.motion.tool_path import ToolSpeed, tool_waypoints
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription
from tests.robot.driver.checks import HOME, assert_no_jump, now
from tests.robot.driver.command import DriverProcess
from tests.robot.panda import panda_spec

# The driver refuses waypoints that come late, so nothing may run beside these tests.
pytestmark = pytest.mark.real_time

KINEMATICS = Kinematics(panda_spec())
SPEED = ToolSpeed(tool_m_s=0.05, turn_rad_s=0.5, gripper_m_s=0.02)


def stops(*offsets: tuple[float, float, float]) -> list[Pose]:
    """Poses at these offsets (m) from home."""
    home = KINEMATICS.forward(np.array(HOME))
    return [Pose(home.position + np.array(offset), home.rotation) for offset in offsets]


def test_each_line_takes_as_long_as_its_slowest_part_and_ends_at_its_pose() -> None:
    through = stops((0.0, 0.0, 0.05), (0.0, 0.1, 0.05), (0.0, 0.1, 0.051))
    waypoints = tool_waypoints(KINEMATICS, np.array(HOME), 0.0, through, 0.03, SPEED)
    by_time = {waypoint.time_ns: waypoint for waypoint in waypoints}
    # The gripper needs 1.5 s to open, the second line 2 s, and the last is the shortest there is.
    for time_ns, stop in zip((1_500_000_000, 3_500_000_000, 3_900_000_000), through, strict=True):
        reached = KINEMATICS.position(np.array(by_time[time_ns].positions))
        np.testing.assert_allclose(reached, stop.position, atol=1e-5)
    assert {waypoint.gripper_width for waypoint in waypoints} == {0.03}
    assert np.ptp(np.diff([0, *by_time])) < 2e6, "waypoints are evenly spaced in time"


def test_a_line_out_of_reach_is_refused() -> None:
    with pytest.raises(UnreachableError):
        tool_waypoints(KINEMATICS, np.array(HOME), 0.0, stops((2.0, 0.0, 0.0)), 0.0, SPEED)


def test_the_arm_goes_there_in_more_commands_than_one_and_rests(running: DriverProcess) -> None:
    with running.client() as client, Subscription(running.state, b"state", JointState, 20_000) as states:
        states.wait(10.0)
        client.acquire("test", 10.0)
        begin = now(client)
        there = KINEMATICS.forward(np.array(begin.governed))
        there = Pose(there.position + np.array([0.0, 0.0, 0.17]), there.rotation)
        joints = np.array(begin.governed)
        waypoints = tool_waypoints(KINEMATICS, joints, begin.gripper_command, [there], begin.gripper_command, SPEED)
        assert len(waypoints) > 64, "longer than one command may be"
        end = follow_waypoints(client, waypoints)
        assert not any(np.round(end.governed_velocity, 3)) and end.time_ns > end.active_until_ns
        np.testing.assert_allclose(KINEMATICS.position(np.array(end.governed)), there.position, atol=1e-3)
        states.drain()
        assert_no_jump(list(states.history))


def test_an_arm_that_goes_on_moving_is_an_error_and_one_that_is_lost_a_refusal(running: DriverProcess) -> None:
    with running.client() as client, running.client() as other:
        client.acquire("test", 10.0)
        begin = now(client)
        target = np.array(begin.governed) + np.array([0.2, 0, 0, 0, 0, 0, 0])
        ends_ns = time.monotonic_ns() + 3_000_000_000
        client.send_waypoints([Waypoint(ends_ns, tuple(target.tolist()), begin.gripper_command)])
        seen: list[JointState] = []
        with pytest.raises(ArmError, match=r"did not come to rest within 0\.3 s"):
            wait_for_rest(client, 0.3, seen.append)
        assert seen
        other.stop("a cat")
        with pytest.raises(Refused):
            wait_for_rest(client, 10.0)
