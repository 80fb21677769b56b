from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from perception.calibration.hand_eye import require_turns
from perception.calibration.hand_eye_poses import poses_around
from robot.arm.interface import Box
from robot.arm.kinematics import Kinematics
from robot.client.joint_move import require_clear
from robot.errors import ConfigurationError
from robot.hardware.so101.description import LIMITS, so101_spec
from tests.robot.panda import panda_spec

LIMIT = tuple(LIMITS.values())
SO101 = so101_spec(tuple(-limit for limit in LIMIT), LIMIT)


@pytest.mark.parametrize("spec", [panda_spec(), SO101], ids=lambda spec: spec.name)
def test_the_poses_are_clear_and_turn_enough(spec) -> None:  # type: ignore[no-untyped-def]
    middle = np.array(spec.home)
    found = poses_around(spec, middle, 12, math.radians(20))
    assert len(found) == 12
    for start, end in pairwise([middle, *found, middle]):
        require_clear(spec, start, end, "a pose")
    kinematics = Kinematics(spec)
    require_turns([kinematics.forward(joints) for joints in found])
    again = poses_around(spec, middle, 12, math.radians(20))
    np.testing.assert_array_equal(found, again)


def test_where_there_is_no_room_it_is_told() -> None:
    spec = panda_spec()
    narrow = msgspec.structs.replace(spec, workspace=Box((0.5, 0.0, 0.3), (0.5001, 0.0001, 0.3001)))
    with pytest.raises(ConfigurationError, match="only 0 of 8 poses around"):
        poses_around(narrow, np.array(spec.home), 8, 0.3)
