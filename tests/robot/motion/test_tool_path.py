"""Straight lines of the tool: straight, evenly timed, without flips of posture or drift of the elbow."""

import numpy as np
import pinocchio
import pytest

from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ConfigurationError, UnreachableError
from robot.motion.tool_path import straight_waypoints
from tests.robot.panda import panda_spec

SPEC = panda_spec()
DOWN = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(SPEC)


def start_of(kinematics: Kinematics) -> tuple[Pose, np.ndarray]:
    joints = kinematics.inverse(Pose(np.array([0.45, 0.0, 0.2]), DOWN), np.array(SPEC.home))
    return kinematics.forward(joints), joints


def test_the_tool_runs_along_the_line_at_constant_speed_while_it_turns(kinematics: Kinematics) -> None:
    start, joints = start_of(kinematics)
    turn = np.array([0.0, 0.0, 0.4])
    end = Pose(start.position + [0.05, 0.1, -0.08], start.rotation @ pinocchio.exp3(turn))
    waypoints = straight_waypoints(kinematics, start, end, joints, 1_000, 0.5, 10, 0.03)
    assert [waypoint.time_ns for waypoint in waypoints] == [1_000 + 50_000_000 * k for k in range(1, 11)]
    for index, waypoint in enumerate(waypoints, start=1):
        pose = kinematics.forward(np.array(waypoint.positions))
        np.testing.assert_allclose(
            pose.position, start.position + index / 10 * (end.position - start.position), atol=1e-4
        )
        turned = pinocchio.log3(start.rotation.T @ pose.rotation)
        np.testing.assert_allclose(turned, index / 10 * turn, atol=1e-3)
        assert waypoint.gripper_width == 0.03


def test_a_long_walk_neither_flips_nor_drifts(kinematics: Kinematics) -> None:
    start, seed = start_of(kinematics)
    generator = np.random.default_rng(0)
    joints, pose = seed, start
    for _ in range(800):
        position = np.clip(pose.position + generator.uniform(-0.03, 0.03, 3), [0.4, -0.2, 0.05], [0.6, 0.2, 0.35])
        end = Pose(position, DOWN)
        for waypoint in straight_waypoints(kinematics, pose, end, joints, 0, 0.125, 5, 0.0):
            assert np.abs(np.array(waypoint.positions) - joints).max() < 0.1
            joints = np.array(waypoint.positions)
        pose = end
    fresh = kinematics.inverse(pose, seed)
    assert np.abs(fresh - joints).max() < 0.4


def test_a_line_out_of_reach_is_refused(kinematics: Kinematics) -> None:
    start, joints = start_of(kinematics)
    end = Pose(start.position + [1.0, 0.0, 0.0], start.rotation)
    with pytest.raises(UnreachableError):
        straight_waypoints(kinematics, start, end, joints, 0, 1.0, 10, 0.0)


@pytest.mark.parametrize(("duration", "count"), [(0.0, 5), (-1.0, 5), (float("nan"), 5), (1.0, 0)])
def test_a_line_needs_time_and_waypoints(kinematics: Kinematics, duration: float, count: int) -> None:
    start, joints = start_of(kinematics)
    with pytest.raises(ConfigurationError):
        straight_waypoints(kinematics, start, start, joints, 0, duration, count, 0.0)
