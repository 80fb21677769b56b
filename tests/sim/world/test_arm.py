from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import numpy as np
import pybullet as p
import pytest

from robot import registry
from robot.arm.interface import ArmOptions, HasScene
from robot.arm.kinematics import Kinematics
from robot.errors import ArmError, ConfigurationError
from sim.policies.push import cube_pose
from sim.world.arm import SimulatedArm, make_arm
from sim.world.scene import EVERYTHING, Scene, present


@pytest.fixture
def arm() -> Iterator[SimulatedArm]:
    arm = make_arm(ArmOptions())
    arm.start()
    yield arm
    arm.close()


def test_it_is_found_by_its_name() -> None:
    assert registry.load(registry.ARMS, "sim") is make_arm


def test_it_has_no_address() -> None:
    with pytest.raises(ConfigurationError, match="leave --address out"):
        make_arm(ArmOptions("192.168.0.2"))


def test_it_owns_a_scene(arm: SimulatedArm) -> None:
    assert isinstance(arm, HasScene)
    pose = cube_pose(np.array([0.6, 0.1]), 0.0)
    arm.place((pose,))
    on_table = [item for item in arm.objects() if present(item)]
    assert on_table == [pose]
    assert [item.name for item in arm.objects()] == [thing.name for thing in EVERYTHING]


def test_starting_moves_nothing_and_home_is_in_the_workspace(arm: SimulatedArm) -> None:
    before = time.monotonic_ns()
    reading = arm.read()
    assert before <= reading.time_ns <= time.monotonic_ns()
    np.testing.assert_allclose(reading.positions, arm.spec.home, atol=1e-3)
    tool = Kinematics(arm.spec).position(np.asarray(reading.positions))
    assert (tool > arm.spec.workspace.lower).all() and (tool < arm.spec.workspace.upper).all()


def test_a_write_advances_the_world_by_one_period_of_the_loop() -> None:
    now = [1000]
    arm = SimulatedArm(Scene(), clock=lambda: now[0])
    arm.start()
    assert arm.read().time_ns == 1000
    now[0] = 5000
    home = np.asarray(arm.spec.home)
    arm.place((cube_pose(np.array([0.5, 0.2]), 0.0, height=0.3),))
    for _ in range(20):
        arm.write(home, 0.0)
    fallen = 0.3 - arm.objects()[0].position[2]
    period = 1 / arm.spec.rate_hz
    assert fallen == pytest.approx(9.81 * period**2 * 20 * 21 / 2, rel=1e-3)
    assert arm.read().time_ns == 5000
    arm.close()


def test_it_follows_what_is_written(arm: SimulatedArm) -> None:
    goal = np.asarray(arm.spec.home) + 0.03
    for _ in range(200):
        arm.write(goal, 0.05)
    reading = arm.read()
    np.testing.assert_allclose(reading.positions, goal, atol=2e-3)
    assert reading.gripper_width == pytest.approx(0.05, abs=2e-3)


def test_parked_it_holds_where_it_is(arm: SimulatedArm) -> None:
    for _ in range(10):
        arm.write(np.asarray(arm.spec.home) + 0.1, 0.0)
    arm.park()
    held = arm.read().positions
    for _ in range(250):
        arm.scene.step()
    np.testing.assert_allclose(arm.read().positions, held, atol=0.02)
    assert max(map(abs, arm.read().velocities)) < 0.01


def test_it_takes_no_command_before_its_start_or_after_its_end() -> None:
    arm = make_arm(ArmOptions())
    home = np.asarray(arm.spec.home)
    with pytest.raises(ArmError, match="not started"):
        arm.write(home, 0.0)
    arm.start()
    arm.write(home, 0.0)
    arm.close()
    with pytest.raises(ArmError, match="not started"):
        arm.write(home, 0.0)
    arm.close()


def test_started_again_it_is_in_the_world_as_it_was(arm: SimulatedArm) -> None:
    pose = cube_pose(np.array([0.6, 0.1]), 0.0)
    arm.place((pose,))
    away = np.asarray(arm.spec.home) + 0.05
    for _ in range(200):
        arm.write(away, 0.04)
    before, things = arm.read(), arm.objects()
    arm.close()
    arm.start()
    assert arm.read().positions == before.positions and arm.objects() == things
    arm.write(away, 0.04)


def test_its_world_is_freed_with_it() -> None:
    arm = make_arm(ArmOptions())
    scene = arm.scene
    del arm
    gc.collect()
    with pytest.raises(p.error, match="Not connected"):
        scene.joints()
