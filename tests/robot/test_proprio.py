from __future__ import annotations

import numpy as np
import pytest

from robot.kinematics import Kinematics
from robot.proprio import STATE_NAMES, proprio
from tests.robot.panda import panda_spec


@pytest.mark.parametrize("kind", [tuple, list, np.asarray])
def test_each_entry_is_what_its_name_says(kind: type) -> None:
    spec = panda_spec()
    kinematics = Kinematics(spec)
    measured = np.asarray(spec.home) + 0.05
    governed = np.asarray(spec.home) - 0.03
    state = dict(zip(STATE_NAMES, proprio(kinematics, kind(measured), kind(governed), 0.04), strict=True))
    tool, setpoint = kinematics.position(measured), kinematics.position(governed)
    assert np.linalg.norm(tool - setpoint) > 0.01  # else this could not tell one from the other
    np.testing.assert_array_equal([state["tool.x"], state["tool.y"], state["tool.z"]], tool)
    np.testing.assert_array_equal([state["setpoint.x"], state["setpoint.y"], state["setpoint.z"]], setpoint)
    assert state["gripper.width"] == 0.04
