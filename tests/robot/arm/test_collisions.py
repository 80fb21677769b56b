"""Bodies: what touches is found, what does not is left alone, and nothing that is asked brings the arm to touch."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.arm.collisions import MARGIN, clearances
from robot.arm.interface import ArmSpec, Box, Capsule
from robot.arm.kinematics import Kinematics
from robot.errors import ArmError, ConfigurationError, Refused
from robot.motion.brake import Brake
from robot.motion.governor import Governor
from robot.motion.servo import Servo
from robot.motion.trajectory import Trajectory
from robot.wire.messages import Waypoint
from tests.robot.panda import panda_spec
from tests.soak import often

# Room enough for the tool that the bodies are what stops the arm.
WIDE = msgspec.structs.replace(panda_spec(), workspace=Box((-1.0, -1.0, -0.2), (1.0, 1.0, 1.4)))
KEEP_OUT = Box((0.35, 0.15, 0.0), (0.60, 0.40, 0.60))
GUARDED = msgspec.structs.replace(WIDE, keep_out=(KEEP_OUT,))
HOME = np.array(WIDE.home)
KINEMATICS = Kinematics(WIDE)
PERIOD_NS = 4_000_000
ROOM = {clearance.reason: clearance for clearance in clearances(GUARDED, KINEMATICS)}


def folded(joints: dict[int, float]) -> np.ndarray:
    posture = HOME.copy()
    for joint, angle in joints.items():
        posture[joint] = angle
    return posture


def surface(capsule: Capsule, kinematics: Kinematics, joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points (m, 3) on and in a capsule at `joints`, by Pinocchio's frames alone."""
    import pinocchio as pin

    model = kinematics.model
    data = model.createData()
    pin.framesForwardKinematics(model, data, joints)
    place = data.oMf[model.getFrameId(capsule.link)]
    direction = rng.normal(size=(4000, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    along = rng.integers(0, 9, (4000, 1)) / 8
    points = (1 - along) * np.array(capsule.start) + along * np.array(capsule.end) + capsule.radius * direction
    return points @ place.rotation.T + place.translation


@given(seed=st.integers(0, 2**32 - 1))
def test_distances_are_those_of_points_on_the_bodies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.uniform(WIDE.lower, WIDE.upper)
    moving = [body for body in GUARDED.bodies if body.link != "panda_link0"]
    points = {body: surface(body, KINEMATICS, joints, rng) for body in moving}
    floor = min(points[body][:, 2].min() for body in moving if not body.handles and body.link != "panda_link1")
    assert ROOM["table"].room(joints) + MARGIN == pytest.approx(floor, abs=0.015)
    lower, upper = np.array(KEEP_OUT.lower), np.array(KEEP_OUT.upper)
    every = np.vstack(list(points.values()))
    away = np.linalg.norm(np.maximum(np.maximum(lower - every, every - upper), 0.0), axis=1).min()
    assert away > 0.0 or ROOM["keep-out"].room(joints) < 0.0
    if ROOM["keep-out"].room(joints) > 0.0:
        assert ROOM["keep-out"].room(joints) + MARGIN == pytest.approx(away, abs=0.03)


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(0.001, 1.0))
def test_no_turn_changes_a_distance_by_more_than_its_reach_tells(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.uniform(WIDE.lower, WIDE.upper)
    turn = rng.normal(0.0, size, 7)
    for clearance in ROOM.values():
        change = abs(clearance.room(joints + turn) - clearance.room(joints))
        assert change <= clearance.reach @ np.abs(turn) + 1e-6


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        ({1: 0.9, 3: -3.0}, "touches itself"),
        ({1: 1.7, 3: -1.6, 5: 0.0}, "touches the table"),
        ({0: 0.6}, "keep-out box"),
    ],
)
def test_an_arm_that_touches_is_not_taken_over_nor_sent_there(joints: dict[int, float], words: str) -> None:
    governor = Governor(GUARDED, KINEMATICS)
    with pytest.raises(ArmError, match=words):
        governor.engage(folded(joints))
    servo = Servo(GUARDED)
    servo.engage(HOME, 0.04)
    with pytest.raises(Refused, match=words) as refused:
        servo.accept([Waypoint(9_000_000_000, tuple(folded(joints)), 0.04)], 0)
    assert refused.value.reason == "touches"


def test_what_the_arm_cannot_have_is_said() -> None:
    strange = msgspec.structs.replace(WIDE, bodies=(Capsule("tail", (0, 0, 0), (0, 0, 1), 0.1),))
    with pytest.raises(ConfigurationError, match="no link 'tail'"):
        Governor(strange, KINEMATICS)


def least_rooms(spec: ArmSpec, positions: np.ndarray) -> dict[str, float]:
    return {
        clearance.reason: min(clearance.room(joints) for joints in positions)
        for clearance in clearances(spec, KINEMATICS)
    }


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=often(6, 240))
def test_wherever_a_trajectory_would_go_no_body_touches_and_the_stop_is_within_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    governor = Governor(GUARDED, KINEMATICS)
    governor.engage(HOME)
    trajectory = Trajectory(GUARDED, HOME, 0.0)
    positions, reasons = [HOME], set()
    for part in range(6):
        goal = rng.uniform(np.array(GUARDED.lower) + 0.05, np.array(GUARDED.upper) - 0.05)
        start_ns = part * 150 * PERIOD_NS
        farthest = float((np.abs(goal - governor.motion[0]) / np.array(GUARDED.velocity)).max())
        trajectory.follow([Waypoint(start_ns + round(max(0.5, 1.2 * farthest) * 1e9), tuple(goal), 0.0)], start_ns)
        for tick in range(150):
            motion, clamps = governor.admit(trajectory.advance(start_ns + tick * PERIOD_NS))
            if clamps:
                trajectory.resume(motion)
            reasons.update(clamps)
            positions.append(motion[0])
    rooms = least_rooms(GUARDED, np.array(positions))
    # Half a millimetre: how far the arm may go between two looks along a stop, one period apart.
    assert all(room > -5e-4 for room in rooms.values()), rooms
    motion = governor.motion
    brake = Brake(GUARDED)
    assert brake.plan(motion)


def test_an_arm_found_a_little_too_near_may_stay_and_move_away_but_no_nearer() -> None:
    clearance = ROOM["keep-out"]
    turns = np.linspace(0.0, 0.6, 400)
    touching = next(turn for turn in turns if -0.008 < clearance.room(folded({0: turn})) < -0.002)
    posture = folded({0: touching})
    found = clearance.room(posture)
    for away, passes in ((-0.3, True), (0.05, False)):
        governor = Governor(GUARDED, KINEMATICS)
        governor.engage(posture)
        trajectory = Trajectory(GUARDED, posture, 0.0)
        trajectory.follow([Waypoint(1_000_000_000, tuple(folded({0: touching + away})), 0.0)], 0)
        clamped = set()
        for tick in range(400):
            motion, clamps = governor.admit(trajectory.advance(tick * PERIOD_NS))
            if clamps:
                trajectory.resume(motion)
            clamped.update(clamps)
            assert clearance.room(motion[0]) > found - 5e-4
        assert (clamped == set()) == passes
        assert (np.abs(governor.motion[0] - folded({0: touching + away})).max() < 1e-3) == passes
