"""Whatever is wished, what comes of it obeys limits; and what can be carried out is, exactly."""

import math

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.arm.collisions import clearances
from robot.arm.interface import ArmSpec, Box
from robot.arm.kinematics import Kinematics
from robot.arm.rotations import quaternion_of
from robot.errors import ConfigurationError
from robot.hardware.so101.description import JOINTS, LIMITS, so101_spec
from robot.hardware.ur.description import ur_spec
from robot.motion.governor import workspace
from robot.teleop.input import JointTarget, ToolTarget, Velocity
from robot.teleop.speed_limits import Dial, Limits
from robot.teleop.velocity_ik import VelocityIk
from tests.robot.panda import panda_spec
from tests.soak import often

PERIOD_S = 0.02
SO101 = so101_spec(tuple(-LIMITS[name] for name in JOINTS), tuple(LIMITS[name] for name in JOINTS))
ARMS = (panda_spec(), SO101, ur_spec("ur5e"))
KINEMATICS = {spec.name: Kinematics(spec) for spec in ARMS}
any_number = st.floats(allow_nan=True, allow_infinity=True)
some_number = st.floats(-2.0, 2.0)


def carried_out(spec: ArmSpec, input_: Velocity, seconds: float, limits: Limits | None = None):  # type: ignore[no-untyped-def]
    """From home: the joints on the way (T, n), and all that slowed it."""
    steering = VelocityIk(spec, limits or Limits())
    way, slowed = [np.array(spec.home)], set()
    for _ in range(round(seconds / PERIOD_S)):
        velocity, reasons = steering.velocity(way[-1], input_, PERIOD_S)
        way.append(way[-1] + PERIOD_S * velocity)
        slowed |= set(reasons)
    return np.array(way), slowed


def assert_allowed(spec: ArmSpec, way: np.ndarray, limits: Limits) -> None:
    kinematics = KINEMATICS[spec.name]
    speed = np.abs(np.diff(way, axis=0)).max(axis=0) / PERIOD_S
    assert (speed <= limits.joints * np.array(spec.velocity) * (1 + 1e-9)).all()
    assert (way >= spec.lower).all() and (way <= spec.upper).all()
    lower, upper = workspace(spec)
    tools = np.array([kinematics.position(joints) for joints in way])
    assert (tools >= lower).all() and (tools <= upper).all()
    for guard in clearances(spec, kinematics):
        assert min(guard.room(joints) for joints in way[::5]) >= 0.0


@pytest.mark.parametrize("spec", ARMS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", (-1.0, 1.0))
def test_the_tool_goes_where_it_is_pushed_and_nowhere_else(spec: ArmSpec, axis: int, sign: float) -> None:
    push = np.zeros(3)
    push[axis] = 0.04 * sign
    way, slowed = carried_out(spec, Velocity(tuple(push.tolist())), 1.0)
    moved = KINEMATICS[spec.name].position(way[-1]) - KINEMATICS[spec.name].position(way[0])
    if not slowed:
        assert np.abs(moved - push).max() < 5e-4
    else:  # the smaller arm stands near the edge of what it can do
        assert np.abs(np.cross(moved, push)).max() < 5e-3 * 0.04
        assert moved @ push > 0.0


@pytest.mark.parametrize("spec", (ARMS[0], ARMS[2]), ids=lambda spec: spec.name)
def test_a_turn_leaves_the_tool_where_it_is_and_a_push_does_not_turn_it(spec: ArmSpec) -> None:
    kinematics = KINEMATICS[spec.name]
    way, slowed = carried_out(spec, Velocity(yaw=0.3), 1.0)
    first, last = kinematics.forward(way[0]), kinematics.forward(way[-1])
    assert not slowed
    assert np.abs(last.position - first.position).max() < 1e-3
    assert np.abs(pin.log3(last.rotation @ first.rotation.T) - (0.0, 0.0, 0.3)).max() < 5e-3
    way, _ = carried_out(spec, Velocity((0.05, 0.05, -0.02)), 2.0)
    assert np.abs(pin.log3(kinematics.forward(way[-1]).rotation @ first.rotation.T)).max() < 5e-3


@pytest.mark.parametrize("spec", ARMS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("push", [(1.0, 0.0, 0.0), (-1.0, 0.3, 0.0), (0.2, 1.0, 0.5), (0.0, 0.0, -1.0), (0.3, 0, 1.0)])
def test_towards_an_edge_or_a_singularity_it_slows_says_so_and_stays_inside(
    spec: ArmSpec, push: tuple[float, float, float]
) -> None:
    way, slowed = carried_out(spec, Velocity(push), 12.0)
    assert_allowed(spec, way, Limits())
    assert slowed & {"workspace", "singularity", "table", "self-collision"} or any("limit" in each for each in slowed)
    # It has come to rest against what is in the way, near enough, without a tremor, and can go back.
    velocity = np.diff(way, axis=0) / PERIOD_S
    assert np.abs(velocity[-1]).max() < 0.08
    assert np.abs(np.diff(velocity[-100:], axis=0)).max() < 0.02
    back, _ = VelocityIk(spec, Limits()).velocity(way[-1], Velocity(tuple(-0.05 * x for x in push)), PERIOD_S)
    assert np.abs(back).max() > 0.0


def test_it_slides_along_a_wall() -> None:
    spec = panda_spec()
    way, slowed = carried_out(spec, Velocity((0.0, 0.15, 0.0)), 6.0)
    steering = VelocityIk(spec, Limits())
    before = KINEMATICS[spec.name].position(way[-1])
    joints = way[-1]
    for _ in range(50):
        velocity, slowed = steering.velocity(joints, Velocity((0.0, 0.05, 0.05)), PERIOD_S)
        joints = joints + PERIOD_S * velocity
    moved = KINEMATICS[spec.name].position(joints) - before
    assert "workspace" in slowed
    assert moved[2] == pytest.approx(0.05, abs=5e-3) and abs(moved[1]) < 5e-3


def test_a_box_to_keep_out_of_slows_before_it_is_reached() -> None:
    import msgspec

    spec = msgspec.structs.replace(panda_spec(), keep_out=(Box((0.35, 0.25, 0.2), (0.60, 0.32, 0.60)),))
    way, slowed = carried_out(spec, Velocity((0.0, 0.15, 0.0)), 6.0)
    assert "keep-out" in slowed
    guard = next(each for each in clearances(spec, Kinematics(spec)) if each.reason == "keep-out")
    assert min(guard.room(joints) for joints in way) >= 0.0


@given(
    which=st.sampled_from(ARMS),
    inputs=st.lists(st.tuples(some_number, some_number, some_number, some_number), min_size=1, max_size=6),
    linear=st.floats(0.01, 1.0),
    yaw=st.floats(0.01, 3.0),
    joints=st.floats(0.05, 1.0),
)
def test_whatever_is_wished_limits_are_kept(
    which: ArmSpec, inputs: list[tuple[float, ...]], linear: float, yaw: float, joints: float
) -> None:
    limits = Limits(linear, yaw, 0.08, joints)
    steering = VelocityIk(which, limits)
    way = [np.array(which.home)]
    for x, y, z, turn in inputs:
        for _ in range(25):
            velocity, _ = steering.velocity(way[-1], Velocity((x, y, z), turn), PERIOD_S)
            way.append(way[-1] + PERIOD_S * velocity)
    assert_allowed(which, np.array(way), limits)


@given(which=st.sampled_from(ARMS), numbers=st.lists(any_number, min_size=8, max_size=8), seconds=st.floats(0.004, 0.2))
def test_numbers_that_are_none_or_absurd_do_no_harm(which: ArmSpec, numbers: list[float], seconds: float) -> None:
    steering = VelocityIk(which, Limits())
    home = np.array(which.home)
    fastest = Limits().joints * np.array(which.velocity) * (1 + 1e-9)
    for velocity, reasons in (
        steering.velocity(home, Velocity((numbers[0], numbers[1], numbers[2]), numbers[3]), seconds),
        steering.towards(home, JointTarget(tuple(numbers[: which.dof]), 0.0, numbers[7]), seconds),
    ):
        assert np.isfinite(velocity).all() and (np.abs(velocity) <= fastest).all()
        assert reasons or all(map(math.isfinite, numbers[:4])) or not velocity.any()


def test_joint_targets_are_reached_in_a_straight_line_at_the_speed_asked_for() -> None:
    spec = panda_spec()
    goal = np.array(spec.home) + (0.3, 0.1, 0.0, 0.2, -0.1, 0.0, 0.5)
    steering, joints = VelocityIk(spec, Limits()), np.array(spec.home)
    for _ in range(200):
        velocity, slowed = steering.towards(joints, JointTarget(tuple(goal.tolist()), 0.08, 0.1), PERIOD_S)
        assert (np.abs(velocity) <= 0.1 * np.array(spec.velocity) * (1 + 1e-9)).all() and not slowed
        joints = joints + PERIOD_S * velocity
        left = goal - joints
        assert np.abs(left * 0.5 - (goal - np.array(spec.home)) * 0.5 * left[6] / 0.5).max() < 1e-6
    assert np.abs(joints - goal).max() < 1e-9


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), 99.0])
def test_limits_beyond_reason_are_refused(bad: float) -> None:
    for name in ("linear", "yaw", "gripper", "joints"):
        with pytest.raises(ConfigurationError, match="--max-"):
            Limits(**{name: bad})
    with pytest.raises(ConfigurationError, match="--speed"):
        Dial(Limits(), bad)


def test_the_dial_stays_between_slow_and_the_limits() -> None:
    dial = Dial(Limits(), 0.25)
    dial.turn(2)
    assert dial.linear == pytest.approx(0.5 * Limits().linear)
    dial.turn(50)
    assert (dial.linear, dial.yaw) == (Limits().linear, Limits().yaw)
    dial.turn(-50)
    assert dial.share == 0.05


def reached_for(spec: ArmSpec, input_: ToolTarget, seconds: float, limits: Limits | None = None) -> np.ndarray:
    """From home: the joints on the way (T, n) to where the tool is wished."""
    steering = VelocityIk(spec, limits or Limits())
    way = [np.array(spec.home)]
    for _ in range(round(seconds / PERIOD_S)):
        velocity, _ = steering.reach(way[-1], input_, PERIOD_S)
        way.append(way[-1] + PERIOD_S * velocity)
    return np.array(way)


@pytest.mark.parametrize("spec", (ARMS[0], ARMS[2]), ids=lambda spec: spec.name)
def test_what_is_reached_for_is_reached_in_a_straight_line_and_kept(spec: ArmSpec) -> None:
    kinematics = KINEMATICS[spec.name]
    first = kinematics.forward(np.array(spec.home))
    goal = first.position + (0.03, 0.05, -0.04)
    turn = pin.exp3(np.array((0.1, -0.05, 0.3)))
    input_ = ToolTarget(tuple(goal.tolist()), quaternion_of(turn @ first.rotation), 0.1, 0.5)
    way = reached_for(spec, input_, 4.0)
    last = kinematics.forward(way[-1])
    assert np.abs(last.position - goal).max() < 1e-3
    assert np.abs(pin.log3(turn @ first.rotation @ last.rotation.T)).max() < 5e-3
    along = (goal - first.position) / np.linalg.norm(goal - first.position)
    tools = np.array([kinematics.position(joints) for joints in way])
    offsets = tools - first.position
    assert np.abs(offsets - np.outer(offsets @ along, along)).max() < 2e-3
    assert np.linalg.norm(np.diff(tools, axis=0), axis=1).max() < 0.1 * PERIOD_S * 1.05
    assert np.array_equal(way[-1], way[-2])


def test_an_arm_of_five_joints_brings_its_tool_there_and_turns_as_it_must() -> None:
    first = KINEMATICS[SO101.name].forward(np.array(SO101.home))
    goal = first.position + (0.02, 0.03, 0.02)
    input_ = ToolTarget(tuple(goal.tolist()), quaternion_of(first.rotation), 0.1, 0.5)
    last = reached_for(SO101, input_, 5.0)[-1]
    assert np.abs(KINEMATICS[SO101.name].position(last) - goal).max() < 2e-3


@pytest.mark.parametrize("spec", ARMS, ids=lambda spec: spec.name)
@settings(max_examples=often(7, 300))
@given(
    position=st.tuples(some_number, some_number, some_number),
    orientation=st.tuples(some_number, some_number, some_number, some_number),
    fast=st.floats(0.0, 1e3),
)
def test_wherever_the_tool_is_wished_limits_are_kept(
    spec: ArmSpec, position: tuple[float, float, float], orientation: tuple[float, float, float, float], fast: float
) -> None:
    limits = Limits(0.5, 1.5)
    assert_allowed(spec, reached_for(spec, ToolTarget(position, orientation, fast, fast), 1.0, limits), limits)


@given(st.tuples(*[any_number] * 9))
def test_nonsense_that_is_reached_for_moves_nothing(numbers: tuple[float, ...]) -> None:
    input_ = ToolTarget(numbers[:3], numbers[3:7], *numbers[7:])  # type: ignore[arg-type]
    velocity, _ = VelocityIk(ARMS[0], Limits()).reach(np.array(ARMS[0].home), input_, PERIOD_S)
    assert np.isfinite(velocity).all()
    if not np.isfinite(numbers).all():
        assert not velocity.any()
