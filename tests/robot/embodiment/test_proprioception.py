from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import PLANAR_PUSH, TABLETOP
from robot.embodiment.proprioception import GRASPING_STATE_NAMES, STATE_NAMES, Proprioception
from robot.embodiment.tool_displacement import ToolTarget
from robot.errors import ConfigurationError
from tests.robot.panda import panda_spec


@pytest.mark.parametrize("kind", [tuple, list, np.asarray])
def test_each_entry_is_what_its_name_says(kind: type) -> None:
    spec = panda_spec()
    kinematics = Kinematics(spec)
    measured = np.asarray(spec.home) + 0.05
    governed = np.asarray(spec.home) - 0.03
    felt = Proprioception(GRASPING_STATE_NAMES, TABLETOP, kinematics).state(kind(measured), kind(governed), 0.04, 0.01)
    state = dict(zip(GRASPING_STATE_NAMES, felt, strict=True))
    tool, setpoint = kinematics.position(measured), kinematics.position(governed)
    assert np.linalg.norm(tool - setpoint) > 0.01  # else this could not tell one from the other
    np.testing.assert_array_equal([state["tool.x"], state["tool.y"], state["tool.z"]], tool)
    np.testing.assert_array_equal([state["setpoint.x"], state["setpoint.y"], state["setpoint.z"]], setpoint)
    assert (state["gripper.width"], state["gripper.command"]) == (0.04, 0.01)
    assert state["tool.yaw"] != state["setpoint.yaw"]


def test_names_choose_and_order_what_is_felt() -> None:
    spec = panda_spec()
    names = ("gripper.width", "tool.z", "tool.x")
    home = np.asarray(spec.home)
    kinematics = Kinematics(spec)
    state = Proprioception(names, PLANAR_PUSH, kinematics).state(home, home, 0.04, 0.0)
    x, _, z = kinematics.position(home)
    assert state.tolist() == [0.04, z, x]
    assert len(Proprioception(STATE_NAMES, PLANAR_PUSH, kinematics).state(home, home, 0.04, 0.0)) == len(STATE_NAMES)


@pytest.mark.parametrize("yaw", [-1.1, 0.0, 0.4])
def test_yaw_is_that_of_the_set_point_from_which_the_tool_was_sent(yaw: float) -> None:
    spec = panda_spec()
    kinematics = Kinematics(spec)
    home = np.asarray(spec.home)
    there = kinematics.inverse(TABLETOP.pose(ToolTarget(np.array([0.5, 0.0, 0.1]), yaw)), home)
    state = Proprioception(("tool.yaw",), TABLETOP, kinematics).state(there, home, 0.0, 0.0)
    assert state[0] == pytest.approx(yaw, abs=2e-3)
    assert np.linalg.norm(pin.log3(TABLETOP.pose(ToolTarget(np.zeros(3), yaw)).rotation)) > 1


def test_a_feeling_that_no_arm_has_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"wrist\.force.*tool\.x"):
        Proprioception(("tool.x", "wrist.force"), TABLETOP, Kinematics(panda_spec()))
