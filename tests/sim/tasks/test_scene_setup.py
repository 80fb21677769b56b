from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from robot.arm.interface import ObjectPose
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.scene_client import SceneClient
from robot.embodiment.actions import PLANAR_PUSH
from robot.errors import Refused, UnreachableError
from robot.wire.messages import JointState
from sim.policies.interface import Start
from sim.policies.push import cube_pose
from sim.tasks.scene_setup import set_up_start
from sim.world.panda import panda_spec
from sim.world.scene import present
from tests.robot.driver.checks import now, steady
from tests.robot.driver.command import until
from tests.sim.execution.process_table import PATIENCE_S, SimulatedDriver, simulated_driver

# The driver refuses waypoints that come late, so nothing may run beside these tests.
pytestmark = pytest.mark.real_time

KINEMATICS = Kinematics(panda_spec())
CUBE = cube_pose(np.array([0.56, 0.08]), 0.5)


@pytest.fixture(scope="module")
def driver() -> Iterator[SimulatedDriver]:
    with simulated_driver() as driver:
        yield driver


def start(place: tuple[float, float, float]) -> Start:
    return Start(PLANAR_PUSH.start(np.array(place)), (CUBE,))


def tool(state: JointState) -> np.ndarray:
    """Where the tool is measured to be, (3,) m."""
    return KINEMATICS.position(np.asarray(state.measured))


@pytest.mark.parametrize(
    ("place", "cube"),
    [
        ((0.45, -0.10, 0.045), CUBE),  # from home
        ((0.60, 0.20, 0.045), cube_pose(np.array([0.42, -0.15]), -2.0)),  # across the table
        ((0.60, 0.20, 0.045), CUBE),  # where it is already
    ],
)
def test_tool_and_cube_are_where_told_and_the_arm_is_free(
    driver: SimulatedDriver, place: tuple[float, float, float], cube: ObjectPose
) -> None:
    set_up_start(driver.command, PLANAR_PUSH, Start(PLANAR_PUSH.start(np.array(place)), (cube,)))
    with driver.client() as client, SceneClient(driver.state) as scenes:
        state = steady(client)
        np.testing.assert_allclose(tool(state), place, atol=1e-3)
        turned = KINEMATICS.forward(np.asarray(state.measured)).rotation
        np.testing.assert_allclose(turned, PLANAR_PUSH.rotation, atol=5e-3)
        assert (state.mode, state.holder) == ("holding", "")
        assert state.gripper_width == pytest.approx(PLANAR_PUSH.gripper_width, abs=2e-3)
        seen = scenes.latest(PATIENCE_S, after_ns=time.monotonic_ns()).objects
        assert [thing.name for thing in seen if present(thing)] == ["cube"]
        np.testing.assert_allclose(seen[0].position, cube.position, atol=1e-3)
        assert abs(np.dot(seen[0].orientation, cube.orientation)) > 1 - 1e-4
        client.acquire("next", 1.0)  # no one else has it


def test_it_does_not_take_the_arm_from_another(driver: SimulatedDriver) -> None:
    with driver.client() as other:
        other.acquire("teleop", 10.0)
        # From the tick that took over where the arm stands.
        until(lambda: now(other).holder == "teleop")
        before = now(other)
        with pytest.raises(Refused, match="teleop has the lease"):
            set_up_start(driver.command, PLANAR_PUSH, start((0.50, 0.0, 0.045)))
        after = now(other)
        assert after.holder == "teleop"
        np.testing.assert_array_equal(after.governed, before.governed)


def test_out_of_reach_nothing_moves_and_the_arm_is_free(driver: SimulatedDriver) -> None:
    with Client(driver.command, PATIENCE_S) as client:
        before = now(client)
        with pytest.raises(UnreachableError):
            set_up_start(driver.command, PLANAR_PUSH, start((1.5, 0.0, 0.045)))
        np.testing.assert_allclose(now(client).governed, before.governed, atol=1e-4)
        client.acquire("next", 1.0)
