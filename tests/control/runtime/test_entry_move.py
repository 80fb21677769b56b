from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pinocchio as pin
import pytest

from control.runtime.entry_move import approach
from robot.arm.interface import Vector
from robot.arm.kinematics import Pose
from robot.client.client import Client
from robot.client.hold_ups import HoldUps
from robot.client.waypoint_move import follow_waypoints
from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.start_path import CLEARANCE_M
from robot.motion.tool_path import ToolSpeed, tool_waypoints
from tests.control.runtime.scripted_arm import KINEMATICS, states, tool
from tests.robot.driver.checks import assert_no_jump, now, steady
from tests.sim.execution.process_table import SimulatedDriver, simulated_driver

# The driver refuses waypoints that come late, so nothing may run beside these tests.
pytestmark = pytest.mark.real_time

LOWER, UPPER = np.asarray(PLANAR_PUSH.bounds.lower), np.asarray(PLANAR_PUSH.bounds.upper)
DOWN = np.asarray(PLANAR_PUSH.rotation)
SPEED = ToolSpeed(tool_m_s=0.2, turn_rad_s=0.5, gripper_m_s=0.1)


@pytest.fixture(scope="module")
def driver() -> Iterator[SimulatedDriver]:
    with simulated_driver() as process:
        yield process


def persist(client: Client, motion: Callable[[], object]) -> None:
    """Do `motion`, again from where the arm rests whenever a busy machine held the driver up."""
    HoldUps().persist(motion, lambda: client.acquire("test", 10.0))


def go(client: Client, target: Vector, yaw: float = 0.0, gripper_width: float = 0.0) -> None:
    """Bring the tool somewhere in a straight line. When it begins is said once the way is known: to find it may take
    long on a busy machine."""
    there = Pose(target, DOWN @ pin.exp3(np.array([0.0, 0.0, yaw])))

    def straight() -> None:
        state = steady(client)
        joints, width = np.asarray(state.governed), state.gripper_command
        follow_waypoints(client, tool_waypoints(KINEMATICS, joints, width, [there], gripper_width, SPEED))

    persist(client, straight)


@pytest.mark.real_time  # an arm whose ticks come late cuts corners
@pytest.mark.parametrize(
    ("target", "yaw", "gripper_width"),
    [
        ((0.42, 0.10, 0.25), 0.0, 0.0),  # above
        ((0.38, 0.30, 0.045), 0.0, 0.0),  # at the right height, but outside
        ((0.36, -0.10, 0.045), 0.6, 0.04),  # inside, but turned and with the gripper open
    ],
)
def test_goes_up_over_and_down_from_anywhere(
    driver: SimulatedDriver, target: tuple[float, float, float], yaw: float, gripper_width: float
) -> None:
    with driver.client() as client:
        client.acquire("test", 10.0)
        go(client, np.asarray(target), yaw, gripper_width)
        start = tool(now(client))
        np.testing.assert_allclose(start, target, atol=2e-3)
        with states(driver.state) as following:
            persist(client, lambda: approach(client, KINEMATICS, PLANAR_PUSH))
            following.drain()
            history = list(following.history)
        end = steady(client)
    assert PLANAR_PUSH.ready(KINEMATICS, np.asarray(end.governed), end.gripper_command)
    assert_no_jump(history)
    path = np.array([tool(state) for state in history[::5]])
    aside = np.minimum(
        np.linalg.norm(path[:, :2] - start[:2], axis=1), np.linalg.norm(path[:, :2] - tool(end)[:2], axis=1)
    )
    # Between leaving and arriving it travels above what may lie there; its corners are rounded.
    assert path[aside > 0.015, 2].min(initial=1.0) > LOWER[2] + CLEARANCE_M - 0.01


def test_stays_where_it_is_when_that_is_inside(driver: SimulatedDriver) -> None:
    with driver.client() as client:
        client.acquire("test", 10.0)
        persist(client, lambda: approach(client, KINEMATICS, PLANAR_PUSH))
        before = now(client)
        go(client, tool(before) + np.array([0.0, 0.05, 0.005]))
        moved = now(client)
        approach(client, KINEMATICS, PLANAR_PUSH)
        assert now(client).active_until_ns == moved.active_until_ns
        np.testing.assert_allclose(now(client).governed, moved.governed, atol=1e-6)


@pytest.mark.parametrize("gripper_width", [0.0, 0.05])
def test_comes_in_over_the_table_and_lets_go_of_nothing(driver: SimulatedDriver, gripper_width: float) -> None:
    outside = np.array([0.32, 0.0, 0.30])
    with driver.client() as client:
        client.acquire("test", 10.0)
        state = now(client)
        here = tool(state)
        go(client, np.array([*here[:2], 0.30]))
        go(client, outside, gripper_width=gripper_width)
        with states(driver.state) as following:
            persist(client, lambda: approach(client, KINEMATICS, TABLETOP))
            following.drain()
            history = list(following.history)
        end = steady(client)
        # As low as the bounds reach, things stand on the table.
        assert tool(end)[2] == pytest.approx(TABLETOP.bounds.upper[2], abs=2e-3)
        assert TABLETOP.ready(KINEMATICS, np.asarray(end.governed), end.gripper_command)
        assert {round(state.gripper_command, 6) for state in history} == {gripper_width}
        go(client, outside, gripper_width=0.0)
    assert_no_jump(history)
