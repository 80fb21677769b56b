from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.observation import Observation
from robot.embodiment.proprioception import STATE_NAMES
from robot.errors import Refused, UnreachableError
from robot.wire.messages import Waypoint
from sim.policies.push import cube_pose
from sim.world.block_runner import BlockRunner
from sim.world.cameras import front_camera
from sim.world.lockstep import Joints, LockStep

TOOL = np.array([0.45, -0.10, 0.045])
CUBE = cube_pose(np.array([0.52, -0.03]), 0.4)
BLOCK_NS = PLANAR_PUSH.block_ns
SETPOINT = [STATE_NAMES.index(f"setpoint.{axis}") for axis in "xyz"]
MEASURED = [STATE_NAMES.index(f"tool.{axis}") for axis in "xyz"]


@pytest.fixture
def world() -> Iterator[LockStep]:
    world = LockStep(front_camera(32, 32))
    yield world
    world.close()


def run(world: LockStep, actions: np.ndarray) -> tuple[list[tuple[Observation, Joints]], np.ndarray, np.ndarray]:
    """Take `actions` (N, 2) block by block; observations and joints, targets and cube positions at the N + 1
    boundaries."""
    world.scene.rewind()
    runner = BlockRunner(world, PLANAR_PUSH)
    runner.reset(PLANAR_PUSH.start(TOOL), [CUBE])
    seen, targets = [(world.observe(), world.joints())], [runner.target.position]
    cubes = [world.scene.objects()[0].position]
    for action in actions:
        runner.run_block(action)
        seen.append((world.observe(), world.joints()))
        targets.append(runner.target.position)
        cubes.append(world.scene.objects()[0].position)
    return seen, np.array(targets), np.array(cubes)


def random_actions(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2))


def test_the_same_actions_give_the_same_episode_in_every_world(world: LockStep) -> None:
    actions = np.vstack([np.full((5, 2), 0.8), random_actions(0, 10)])
    other = LockStep(front_camera(32, 32))
    try:
        first, _, cubes = run(world, actions)
        run(world, random_actions(1, 5))  # what happened before must not matter
        again, _, _ = run(world, actions)
        elsewhere, _, _ = run(other, actions)
    finally:
        other.close()
    assert np.linalg.norm(cubes[-1] - cubes[0]) > 0.02, "the cube should have been pushed, or this shows little"
    for (seen, joints), *others in zip(first, again, elsewhere, strict=True):
        for other, its in others:
            assert seen.time_ns == other.time_ns
            np.testing.assert_array_equal(seen.picture("front"), other.picture("front"))
            np.testing.assert_array_equal(seen.state, other.state)
            for name in ("requested", "governed", "measured"):
                np.testing.assert_array_equal(getattr(joints, name), getattr(its, name))


def test_a_reset_puts_everything_at_rest_where_asked(world: LockStep) -> None:
    run(world, random_actions(2, 4))
    world.reset(PLANAR_PUSH, PLANAR_PUSH.start(TOOL), [CUBE])
    seen = world.observe()
    assert world.time_ns == seen.time_ns == 0
    np.testing.assert_allclose(seen.state[MEASURED], TOOL, atol=2e-4)
    np.testing.assert_allclose(seen.state[SETPOINT], TOOL, atol=2e-4)
    np.testing.assert_allclose(world.scene.objects()[0].position, CUBE.position, atol=1e-3)
    world.run_until(10**9)
    np.testing.assert_allclose(world.observe().state[MEASURED], TOOL, atol=1e-3)


def test_a_place_out_of_reach_is_told(world: LockStep) -> None:
    with pytest.raises(UnreachableError):
        world.reset(PLANAR_PUSH, PLANAR_PUSH.start(np.array([1.4, 0.0, 0.045])), [CUBE])


def test_time_is_what_it_is_told_to_be_and_ticks_once_a_period(world: LockStep) -> None:
    world.reset(PLANAR_PUSH, PLANAR_PUSH.start(TOOL), [cube_pose(np.array([0.6, 0.1]), 0.0, height=1.0)])
    world.run_until(3_000_000)
    height = world.scene.objects()[0].position[2]
    world.run_until(4_000_000)  # the tick at 4 ms is due, but not before it
    assert world.scene.objects()[0].position[2] == height
    world.run_until(4_000_001)
    assert world.scene.objects()[0].position[2] < height
    assert world.time_ns == 4_000_001


def test_the_set_point_keeps_to_the_plan(world: LockStep) -> None:
    """The corner of each block is rounded (over a tenth of a second), so the set-point is near its target at the
    block's end and there once the arm pauses."""
    actions = np.vstack([random_actions(3, 12), np.zeros((2, 2))])
    seen, targets, _ = run(world, actions)
    setpoints = np.array([observation.state[SETPOINT] for observation, _ in seen])
    # One block later: `target` is where the block now sent will end.
    np.testing.assert_allclose(setpoints[1:], targets[:-1], atol=6e-3)
    np.testing.assert_allclose(setpoints[-1], targets[-1], atol=5e-4)
    tools = np.array([observation.state[MEASURED] for observation, _ in seen])
    assert np.abs(tools - setpoints)[:, :2].max() < 5e-3
    for _, joints in seen:
        np.testing.assert_array_equal(joints.requested, joints.governed)  # nothing was clamped


def test_an_even_motion_is_followed_closely(world: LockStep) -> None:
    seen, targets, _ = run(world, np.tile([0.0, -0.4], (8, 1)))
    setpoints = np.array([observation.state[SETPOINT] for observation, _ in seen])
    # A block ends between two ticks, and the arm moves 0.4 mm a tick.
    np.testing.assert_allclose(setpoints[3:], targets[2:-1], atol=6e-4)


def test_the_first_block_holds(world: LockStep) -> None:
    seen, targets, _ = run(world, np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    # But for its end, where the motion that follows is already being rounded into.
    np.testing.assert_allclose(seen[1][0].state[SETPOINT], TOOL, atol=6e-3)
    np.testing.assert_allclose(targets[1], TOOL + [PLANAR_PUSH.scale_m, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(seen[3][0].state[SETPOINT], targets[1], atol=5e-4)


def test_late_waypoints_are_refused_as_by_the_driver(world: LockStep) -> None:
    world.reset(PLANAR_PUSH, PLANAR_PUSH.start(TOOL), [CUBE])
    world.run_until(BLOCK_NS)
    here = tuple(world.setpoint_joints().tolist())
    with pytest.raises(Refused) as refusal:
        world.send([Waypoint(BLOCK_NS // 2, here, 0.0)])
    assert refusal.value.reason == "late"
