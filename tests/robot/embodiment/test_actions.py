from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robot.arm.interface import Box
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from robot.errors import UnreachableError
from tests.robot.panda import panda_spec
from tests.soak import often

LOWER, UPPER = np.array(PLANAR_PUSH.bounds.lower), np.array(PLANAR_PUSH.bounds.upper)
HAND = ToolDisplacement(
    axes=("x", "y", "z", "yaw", "gripper"),
    scale_m=0.04,
    block_s=1 / 7,
    waypoints=5,
    bounds=Box((0.3, -0.3, 0.02), (0.7, 0.3, 0.4)),
    turn_rad=0.3,
    turn_bounds=(-1.5, 1.5),
    opening_m=0.08,
)

actions = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(np.array)
shares = st.tuples(st.floats(0, 1), st.floats(0, 1), st.just(0.0)).map(np.array)


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(panda_spec())


@given(shares, actions)
def test_a_target_is_one_displacement_away_and_inside_the_bounds(share: np.ndarray, action: np.ndarray) -> None:
    tool = LOWER + share * (UPPER - LOWER)
    before = tool.copy()
    target = PLANAR_PUSH.target(PLANAR_PUSH.start(tool), action).position
    assert (target >= LOWER).all() and (target <= UPPER).all()
    assert (np.abs(target - tool) <= PLANAR_PUSH.scale_m + 1e-12).all()
    np.testing.assert_array_equal(tool, before)
    wished = tool[:2] + PLANAR_PUSH.scale_m * np.clip(action, -1, 1)
    inside = (wished >= LOWER[:2]) & (wished <= UPPER[:2])
    np.testing.assert_allclose(target[:2][inside], wished[inside], atol=1e-12)


def test_each_entry_moves_its_own_axis() -> None:
    convention = ToolDisplacement(("z", "x"), 0.02, 0.125, 5, Box((0.3, -0.3, 0.02), (0.7, 0.3, 0.4)))
    assert convention.size == 2
    moved = convention.target(convention.start(np.array([0.5, 0.1, 0.2])), np.array([0.5, -1.0]))
    np.testing.assert_allclose(moved.position, [0.48, 0.1, 0.21])
    assert (moved.yaw, moved.gripper_width) == (0.0, 0.0)


def test_a_set_point_outside_the_bounds_is_brought_back_inside() -> None:
    moved = PLANAR_PUSH.target(ToolTarget(np.array([0.9, -0.5, 0.3]), 1.0, 0.08), np.zeros(2))
    np.testing.assert_allclose(moved.position, [0.69, -0.25, 0.045])
    assert (moved.yaw, moved.gripper_width) == (0.0, 0.0)


@given(st.floats(-2, 2), st.floats(-1.5, 1.5), st.sampled_from([0.0, 0.03, 0.08]))
def test_the_hand_turns_and_opens_within_its_bounds(turn: float, yaw: float, width: float) -> None:
    for grip, wanted in ((1.0, 0.08), (-0.1, 0.0), (0.0, width)):
        moved = HAND.target(ToolTarget(np.array([0.5, 0.0, 0.1]), yaw, width), np.array([0.0, 0.0, 0.0, turn, grip]))
        assert moved.gripper_width == wanted
        assert moved.yaw == pytest.approx(np.clip(yaw + 0.3 * np.clip(turn, -1, 1), -1.5, 1.5))
        np.testing.assert_allclose(moved.position, [0.5, 0.0, 0.1])


@given(st.floats(-1.5, 1.5), st.floats(0, 0.08))
def test_a_pose_and_its_set_point_say_the_same(yaw: float, width: float) -> None:
    tool = ToolTarget(np.array([0.5, -0.1, 0.2]), yaw, width)
    back = HAND.at(HAND.pose(tool), width)
    np.testing.assert_allclose(back.position, tool.position)
    assert back.yaw == pytest.approx(yaw, abs=1e-9) and back.gripper_width == width
    # Seen from above, the hand is turned anticlockwise by the yaw.
    before, after = np.asarray(HAND.rotation)[:, 0], HAND.pose(tool).rotation[:, 0]
    angle = np.arctan2(after[1], after[0]) - np.arctan2(before[1], before[0])
    assert (angle - yaw + np.pi) % (2 * np.pi) - np.pi == pytest.approx(0.0, abs=1e-9)


def test_a_block_turns_the_hand_evenly_and_opens_it_at_once(kinematics: Kinematics) -> None:
    start = HAND.start(np.array([0.5, 0.0, 0.1]))
    end = HAND.target(start, np.array([0.5, -0.5, 1.0, -1.0, 1.0]))
    seed = kinematics.inverse(HAND.pose(start), kinematics.home)
    waypoints = HAND.block(kinematics, start, end, seed, 0)
    assert [waypoint.gripper_width for waypoint in waypoints] == [0.0] + [0.08] * 5
    for index, waypoint in enumerate(waypoints):
        share = index / 5
        pose = kinematics.forward(np.array(waypoint.positions))
        np.testing.assert_allclose(pose.position, start.position + share * (end.position - start.position), atol=2e-4)
        wanted = HAND.pose(ToolTarget(pose.position, share * end.yaw)).rotation
        np.testing.assert_allclose(pose.rotation, wanted, atol=2e-3)


@settings(max_examples=often(12, 500))
@given(shares, actions)
def test_a_block_is_a_straight_line_in_time(kinematics: Kinematics, share: np.ndarray, action: np.ndarray) -> None:
    start = PLANAR_PUSH.start(LOWER + share * (UPPER - LOWER))
    end = PLANAR_PUSH.target(start, action)
    seed = kinematics.inverse(PLANAR_PUSH.pose(start), kinematics.home)
    began_ns = 10**12 + 7
    waypoints = PLANAR_PUSH.block(kinematics, start, end, seed, began_ns)
    assert len(waypoints) == PLANAR_PUSH.waypoints + 1
    times_ns = [began_ns + round(share * PLANAR_PUSH.block_s * 1e9) for share in np.linspace(0.0, 1.0, 6)]
    assert [waypoint.time_ns for waypoint in waypoints] == times_ns
    assert times_ns[-1] == began_ns + PLANAR_PUSH.block_ns
    for index, waypoint in enumerate(waypoints):
        pose = kinematics.forward(np.array(waypoint.positions))
        wanted = start.position + index / PLANAR_PUSH.waypoints * (end.position - start.position)
        np.testing.assert_allclose(pose.position, wanted, atol=2e-4)
        np.testing.assert_allclose(pose.rotation, PLANAR_PUSH.rotation, atol=2e-3)
        assert waypoint.gripper_width == PLANAR_PUSH.gripper_width
    assert np.abs(np.diff([seed, *(w.positions for w in waypoints)], axis=0)).max() < 0.1


def test_a_block_out_of_reach_is_told(kinematics: Kinematics) -> None:
    start, away = (PLANAR_PUSH.start(np.array([x, 0.0, 0.045])) for x in (0.6, 1.5))
    seed = kinematics.inverse(PLANAR_PUSH.pose(start), kinematics.home)
    with pytest.raises(UnreachableError):
        PLANAR_PUSH.block(kinematics, start, away, seed, 0)


def test_blocks_come_a_whole_number_of_times_a_second() -> None:
    rate = round(1 / PLANAR_PUSH.block_s)
    assert abs(PLANAR_PUSH.block_ns * rate - 10**9) < rate


@given(shares, actions)
@example(np.array([1.0, 1.0, 0.0]), np.array([-1.0, 1.0]))
@example(np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.5]))
@example(np.array([0.0, 1.0, 0.0]), np.array([1.0, -1.0]))
def test_no_action_anywhere_asks_the_joints_for_more_than_they_can(
    kinematics: Kinematics, share: np.ndarray, action: np.ndarray
) -> None:
    start = PLANAR_PUSH.start(LOWER + share * (UPPER - LOWER))
    seed = kinematics.inverse(PLANAR_PUSH.pose(start), kinematics.home)
    waypoints = PLANAR_PUSH.block(kinematics, start, PLANAR_PUSH.target(start, action), seed, 0)
    speeds = np.diff([waypoint.positions for waypoint in waypoints], axis=0) / (
        PLANAR_PUSH.block_s / PLANAR_PUSH.waypoints
    )
    assert (np.abs(speeds) <= panda_spec().velocity).all()


def test_a_convention_survives_json() -> None:
    kept = msgspec.json.decode(msgspec.json.encode(PLANAR_PUSH), type=ToolDisplacement)
    assert kept == PLANAR_PUSH and hash(kept) == hash(PLANAR_PUSH)
