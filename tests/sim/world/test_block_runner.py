from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.proprioception import STATE_NAMES
from robot.errors import UnreachableError
from sim.policies.push import cube_pose
from sim.world.block_runner import BlockRunner
from sim.world.cameras import front_camera
from sim.world.lockstep import LockStep

TOOL = np.array([0.45, -0.10, 0.045])
AWAY = cube_pose(np.array([0.60, 0.15]), 0.0)
SETPOINT = [STATE_NAMES.index(f"setpoint.{axis}") for axis in "xyz"]


@pytest.fixture(scope="module")
def world() -> Iterator[LockStep]:
    world = LockStep(front_camera(16, 16))
    yield world
    world.close()


@pytest.fixture
def runner(world: LockStep) -> BlockRunner:
    runner = BlockRunner(world, PLANAR_PUSH)
    runner.reset(PLANAR_PUSH.start(TOOL), [AWAY])
    return runner


def test_the_first_block_holds_whatever_follows(world: LockStep, runner: BlockRunner) -> None:
    np.testing.assert_array_equal(runner.committed, [0.0, 0.0])
    np.testing.assert_array_equal(runner.target.position, TOOL)
    runner.run_block(np.array([1.0, -1.0]))
    assert world.time_ns == PLANAR_PUSH.block_ns
    # But for the corner at its end, which is rounded.
    np.testing.assert_allclose(world.observe().state[SETPOINT], TOOL, atol=6e-3)


def test_what_is_sent_in_one_block_is_committed_in_the_next(world: LockStep, runner: BlockRunner) -> None:
    rng = np.random.default_rng(0)
    target = PLANAR_PUSH.start(TOOL)
    for block in range(6):
        action = rng.uniform(-1, 1, 2)
        runner.run_block(action)
        target = PLANAR_PUSH.target(target, action)
        np.testing.assert_array_equal(runner.committed, action)
        np.testing.assert_array_equal(runner.target.position, target.position)
        assert world.time_ns == (block + 1) * PLANAR_PUSH.block_ns
    runner.run_block(np.zeros(2))
    # The target is where the committed block ends, so the arm is there one block later.
    np.testing.assert_allclose(world.observe().state[SETPOINT], target.position, atol=6e-3)
    runner.run_block(np.zeros(2))
    np.testing.assert_allclose(world.observe().state[SETPOINT], target.position, atol=5e-4)


def test_actions_beyond_one_count_as_one(runner: BlockRunner) -> None:
    runner.run_block(np.array([7.0, -3.0]))
    np.testing.assert_array_equal(runner.committed, [1.0, -1.0])
    np.testing.assert_allclose(runner.target.position - TOOL, [PLANAR_PUSH.scale_m, -PLANAR_PUSH.scale_m, 0.0])


def test_the_target_stays_within_the_bounds(runner: BlockRunner) -> None:
    for _ in range(10):
        runner.run_block(np.array([-1.0, 0.0]))
    assert runner.target.position[0] == PLANAR_PUSH.bounds.lower[0]


def test_a_reset_starts_anew(world: LockStep, runner: BlockRunner) -> None:
    runner.run_block(np.array([1.0, 1.0]))
    runner.reset(PLANAR_PUSH.start(TOOL), [AWAY])
    assert world.time_ns == 0 and not runner.committed.any()
    np.testing.assert_array_equal(runner.target.position, TOOL)
    runner.run_block(np.zeros(2))
    assert world.time_ns == PLANAR_PUSH.block_ns


def test_a_start_out_of_reach_is_told(runner: BlockRunner) -> None:
    with pytest.raises(UnreachableError):
        runner.reset(PLANAR_PUSH.start(np.array([1.5, 0.0, 0.045])), [AWAY])


def test_what_no_joint_can_follow_is_not_begun_and_the_arm_holds(world: LockStep) -> None:
    hasty = msgspec.structs.replace(PLANAR_PUSH, scale_m=0.25)
    runner = BlockRunner(world, hasty)
    runner.reset(hasty.start(np.array([0.35, -0.2, 0.045])), [])
    runner.run_block(np.array([1.0, 1.0]))
    assert (runner.committed == 0).all()
    np.testing.assert_array_equal(runner.target.position, [0.35, -0.2, 0.045])
    before = world.observe_tool()
    runner.run_block(np.array([0.1, 0.0]))
    np.testing.assert_allclose(world.observe_tool(), before, atol=4e-3)
    runner.run_block(np.zeros(2))
    assert runner.target.position[0] == pytest.approx(0.375)
