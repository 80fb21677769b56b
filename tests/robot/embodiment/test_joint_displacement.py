"""Displacements of the joints: where they lead, how they are carried out, and what they refuse."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.kinematics import Kinematics
from robot.embodiment.joint_displacement import JointDisplacement, JointTarget
from robot.errors import ConfigurationError
from robot.motion.servo import Servo
from tests.robot.panda import panda_spec

SPEC = panda_spec()
JOINTS = JointDisplacement.of(SPEC)
HOME = np.array(SPEC.home)
KINEMATICS = Kinematics(SPEC)

actions = st.lists(st.floats(-3, 3), min_size=8, max_size=8).map(np.array)
postures = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(
    lambda shares: np.array(JOINTS.lower) + np.array(shares) * (np.array(JOINTS.upper) - np.array(JOINTS.lower))
)


@given(postures, actions)
def test_a_target_is_one_displacement_away_and_between_the_limits(posture: np.ndarray, action: np.ndarray) -> None:
    target = JOINTS.target(JointTarget(posture, 0.03), action)
    assert (np.abs(target.positions - posture) <= JOINTS.scale_rad + 1e-12).all()
    assert (target.positions >= np.array(SPEC.lower)).all() and (target.positions <= np.array(SPEC.upper)).all()
    assert target.gripper_width == (0.03 if action[7] == 0 else SPEC.gripper_range[1] if action[7] > 0 else 0.0)


def test_the_last_entry_is_the_gripper_s_where_the_arm_has_one_that_opens() -> None:
    assert JOINTS.names == (*SPEC.joint_names, "gripper") and JOINTS.binary == (7,)
    bare = JointDisplacement.of(msgspec.structs.replace(SPEC, gripper_range=(0.0, 0.0)))
    assert (bare.names, bare.size, bare.binary) == (SPEC.joint_names, 7, ())
    assert "gripper.command" in JOINTS.state_names and "gripper.command" not in bare.state_names


@given(actions)
def test_no_block_asks_a_joint_for_more_than_it_may(action: np.ndarray) -> None:
    start = JOINTS.set_point(KINEMATICS, HOME, 0.0)
    end = JOINTS.target(start, action)
    waypoints = JOINTS.block(KINEMATICS, start, end, HOME, 10**9)
    assert len(waypoints) == JOINTS.waypoints + 1
    assert (waypoints[0].time_ns, waypoints[-1].time_ns) == (10**9, 10**9 + JOINTS.block_ns)
    np.testing.assert_allclose(waypoints[0].positions, HOME)
    np.testing.assert_allclose(waypoints[-1].positions, end.positions)
    servo = Servo(SPEC)
    servo.engage(HOME, 0.0)
    servo.tick(10**9 - 100_000_000)
    servo.accept(waypoints, 10**9 - 100_000_000)  # raises when a joint would have to be too fast


def test_actions_begin_wherever_the_joints_are_between_their_limits() -> None:
    assert JOINTS.ready(KINEMATICS, HOME, 0.04)
    outside = HOME.copy()
    outside[3] = SPEC.upper[3] - 0.005
    assert not JOINTS.ready(KINEMATICS, outside, 0.04)
    way = JOINTS.entry(KINEMATICS, outside, 0.04)
    assert JOINTS.ready(KINEMATICS, np.array(way[-1].positions), way[-1].gripper_width)
    np.testing.assert_array_equal(way[-1].positions, np.clip(outside, JOINTS.lower, JOINTS.upper))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="move 7 joints, and the arm has 6"):
        JOINTS.set_point(KINEMATICS, HOME[:6], 0.0)
    with pytest.raises(ConfigurationError, match="cannot be mirrored"):
        JOINTS.mirror_signs()
    with pytest.raises(ValueError, match="7 joints have 6 lower and 7 upper limits"):
        msgspec.structs.replace(JOINTS, lower=JOINTS.lower[:6])
