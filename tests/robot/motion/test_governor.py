"""The governor against requests of every kind: sound ones pass untouched, all others end in a safe stop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ArmError
from robot.motion.brake import Brake
from robot.motion.governor import Governor
from robot.motion.trajectory import Trajectory
from robot.wire.messages import Waypoint
from tests.robot.motion.stream import assert_within_limits
from tests.robot.panda import panda_spec

SPEC = panda_spec()
HOME = np.array(SPEC.home)
PERIOD_NS = 4_000_000
KINEMATICS = Kinematics(SPEC)
DOWN = np.diag([1.0, -1.0, -1.0])


def engaged(joints: np.ndarray = HOME) -> Governor:
    governor = Governor(SPEC, KINEMATICS)
    governor.engage(joints)
    return governor


def at_rest(joints: np.ndarray) -> np.ndarray:
    motion = np.zeros((3, SPEC.dof))
    motion[0] = joints
    return motion


def drive(governor: Governor, goal: np.ndarray, seconds: float, ticks: int) -> tuple[np.ndarray, set[str]]:
    """Let an unguarded trajectory run to `goal`, whatever that is; return what the governor let through."""
    trajectory = Trajectory(SPEC, governor.motion[0], 0.0)
    trajectory.follow([Waypoint(round(seconds * 1e9), tuple(goal), 0.0)], 0)
    positions, reasons = [], set()
    for tick in range(ticks):
        motion, clamps = governor.admit(trajectory.advance(tick * PERIOD_NS))
        if clamps:
            trajectory.resume(motion)
        reasons.update(clamps)
        positions.append(motion[0])
    return np.array(positions), reasons


def test_a_sound_motion_passes_untouched() -> None:
    governor = engaged()
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow([Waypoint(500_000_000, tuple(HOME + 0.2), 0.0)], 0)
    for tick in range(200):
        request = trajectory.advance(tick * PERIOD_NS)
        motion, clamps = governor.admit(request)
        assert clamps == () and motion is request
    np.testing.assert_allclose(governor.motion[0], HOME + 0.2, atol=1e-9)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (at_rest(HOME + 0.5), "velocity"),
        (at_rest(HOME + 0.001), "acceleration"),
        (at_rest(HOME + 1e-4), "jerk"),
        (at_rest(np.full(7, np.nan)), "not-finite"),
        (at_rest(np.full(7, np.inf)), "not-finite"),
    ],
)
def test_an_impossible_step_is_named_and_not_taken(request_: np.ndarray, reason: str) -> None:
    governor = engaged()
    motion, clamps = governor.admit(request_)
    assert reason in clamps
    np.testing.assert_array_equal(motion, at_rest(HOME))


def test_joint_limits_hold_and_are_named() -> None:
    start = KINEMATICS.inverse(Pose(np.array([0.45, 0.0, 0.4]), DOWN), HOME)
    goal = start.copy()
    goal[6] = SPEC.upper[6] + 0.5
    governor = engaged(start)
    positions, reasons = drive(governor, goal, 1.5, 600)
    assert reasons == {"position"}
    assert SPEC.upper[6] - 0.02 < positions[:, 6].max() <= SPEC.upper[6] + 2e-6
    assert_within_limits(SPEC, KINEMATICS, start, positions)


@pytest.mark.parametrize(
    ("goal", "reason"),
    [((0.45, 0.0, -0.1), "table"), ((0.45, 0.55, 0.2), "workspace"), ((0.45, -0.55, 0.2), "workspace")],
)
def test_the_tool_stops_at_the_faces_of_its_box(goal: tuple[float, float, float], reason: str) -> None:
    start = KINEMATICS.inverse(Pose(np.array([0.45, 0.0, 0.2]), DOWN), HOME)
    end = KINEMATICS.inverse(Pose(np.array(goal), DOWN), start)
    governor = engaged(start)
    positions, reasons = drive(governor, end, 0.5, 400)
    assert reason in reasons
    assert_within_limits(SPEC, KINEMATICS, start, positions)
    tool = KINEMATICS.position(positions[-1])
    nearest = min((tool - SPEC.workspace.lower).min(), (np.array(SPEC.workspace.upper) - tool).min())
    assert nearest < 0.01, "it came close to the face before it stopped"


@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0.01, 3.0),
    seconds=st.floats(0.004, 1.0),
    legs=st.integers(1, 4),
)
def test_whatever_a_trajectory_asks_the_stream_stays_within_every_limit(
    seed: int, spread: float, seconds: float, legs: int
) -> None:
    generator = np.random.default_rng(seed)
    governor = engaged()
    trajectory = Trajectory(SPEC, HOME, 0.0)
    positions, now_ns = [], 0
    for _ in range(legs):
        goal = governor.motion[0] + generator.normal(0.0, spread, SPEC.dof)
        trajectory.follow([Waypoint(now_ns + round(seconds * 1e9), tuple(goal), 0.0)], now_ns)
        for _ in range(60):
            motion, clamps = governor.admit(trajectory.advance(now_ns))
            if clamps:
                trajectory.resume(motion)
            positions.append(motion[0])
            now_ns += PERIOD_NS
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array(positions))


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 3.0))
def test_whatever_a_stranger_asks_the_stream_stays_within_every_limit(seed: int, scale: float) -> None:
    """Requests near what is possible, by one third of a period's jerk each and then some, and nonsense between."""
    generator = np.random.default_rng(seed)
    governor = engaged()
    period, jerk = 1.0 / SPEC.rate_hz, np.array(SPEC.jerk)
    positions = []
    for _ in range(150):
        motion = governor.motion.copy()
        for _ in range(3):
            position, velocity, acceleration = motion
            step, push = period / 3, scale * jerk * generator.uniform(-1.0, 1.0, SPEC.dof)
            motion = np.array(
                (
                    position + step * velocity + step**2 / 2 * acceleration + step**3 / 6 * push,
                    velocity + step * acceleration + step**2 / 2 * push,
                    acceleration + step * push,
                )
            )
        if generator.random() < 0.05:
            motion[generator.integers(3), generator.integers(SPEC.dof)] = generator.choice([np.nan, np.inf, 10.0, -1.0])
        positions.append(governor.admit(motion)[0][0])
    assert_within_limits(SPEC, KINEMATICS, HOME, np.array(positions))


def test_after_any_state_let_through_a_refusal_leads_to_rest_inside_the_box() -> None:
    generator = np.random.default_rng(4)
    for _ in range(20):
        governor = engaged()
        goal = HOME + generator.normal(0.0, 0.5, SPEC.dof)
        moving, _ = drive(governor, goal, 0.3, int(generator.integers(5, 80)))
        stopping = [governor.admit(at_rest(np.full(7, np.nan)))[0] for _ in range(100)]
        assert not stopping[-1][1:].any()
        assert_within_limits(SPEC, KINEMATICS, HOME, np.vstack([moving, [motion[0] for motion in stopping]]))


def test_an_arm_a_little_outside_may_start_and_come_back() -> None:
    start = HOME.copy()
    start[6] = SPEC.upper[6] + 0.01
    governor = engaged(start)
    goal = start.copy()
    goal[6] -= 0.1
    positions, reasons = drive(governor, goal, 0.5, 200)
    assert reasons == set()
    np.testing.assert_allclose(positions[-1], goal, atol=1e-6)


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        (np.where(np.arange(7) == 3, 0.2, HOME), "panda_joint4.*move the arm back"),
        (np.array([0.0, -1.5, 0.0, -2.9, 0.0, 1.5, 0.0]), "outside the workspace"),
        (np.full(7, np.nan), "not 7 finite numbers"),
        (HOME[:6], "not 7 finite numbers"),
    ],
)
def test_an_arm_far_outside_is_not_taken_over(joints: np.ndarray, words: str) -> None:
    with pytest.raises(ArmError, match=words):
        engaged(joints)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=7, max_size=7),
)
def test_a_brake_keeps_within_the_extent_it_tells(shares: list[tuple[float, float]]) -> None:
    motion = at_rest(HOME)
    motion[1] = np.array([velocity for velocity, _ in shares]) * SPEC.velocity
    motion[2] = np.array([acceleration for _, acceleration in shares]) * SPEC.acceleration
    brake = Brake(SPEC)
    assert brake.plan(motion)
    lower, upper = brake.extent()
    way = np.array([brake.at(time)[0] for time in np.linspace(0.0, brake.duration, 200)])
    assert (way >= np.array(lower) - 1e-9).all() and (way <= np.array(upper) + 1e-9).all()
    np.testing.assert_array_equal(brake.at(brake.duration)[1:], 0.0)
