"""The trajectory follows timed waypoints without lag, chatter or overshoot, and within limits whatever they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.motion.trajectory import Trajectory
from robot.motion.waypoint_path import HALF_WINDOW_S, Reference
from robot.wire.messages import Waypoint
from tests.robot.panda import panda_spec

SPEC = panda_spec()
HOME = np.array(SPEC.home)
PERIOD = 1.0 / SPEC.rate_hz
PERIOD_NS = round(1e9 * PERIOD)
DIRECTION = np.array([0.4, -0.3, 0.2, 0.3, -0.5, 0.4, 0.6])


def line(speed: float, seconds: float, count: int, from_ns: int = 0, gripper: float = 0.0) -> list[Waypoint]:
    times = seconds * np.arange(1, count + 1) / count
    return [Waypoint(from_ns + round(time * 1e9), tuple(HOME + speed * time * DIRECTION), gripper) for time in times]


def run(trajectory: Trajectory, ticks: int, jitter: np.ndarray | None = None) -> np.ndarray:
    """Advance and return the motions (ticks, 3, n); `jitter` (ticks,) ns is how late each tick comes."""
    late = np.zeros(ticks) if jitter is None else jitter
    return np.array([trajectory.advance(tick * PERIOD_NS + int(late[tick])).copy() for tick in range(ticks)])


def times(ticks: int) -> np.ndarray:
    return PERIOD * (np.arange(ticks) + 1)


def assert_within_limits(positions: np.ndarray) -> None:
    positions = np.vstack([HOME, HOME, HOME, positions])
    for order, limit in ((1, SPEC.velocity), (2, SPEC.acceleration), (3, SPEC.jerk)):
        assert (np.abs(np.diff(positions, order, axis=0)) / PERIOD**order <= 1.005 * np.array(limit)).all()


def test_a_steady_line_is_followed_without_lag_or_chatter() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow(line(1.0, 1.0, 40), 0)
    motions = run(trajectory, 300)
    asked = HOME + np.minimum(times(300), 1.0)[:, None] * DIRECTION
    steady = slice(60, 230)
    assert np.abs(motions[steady, 0] - asked[steady]).max() < 1e-6
    assert np.abs(motions[steady, 1] - DIRECTION).max() < 1e-6
    assert np.abs(motions[steady, 2]).max() < 1e-3
    assert_within_limits(motions[:, 0])


def test_it_arrives_at_rest_without_overshoot() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow(line(1.0, 1.0, 40), 0)
    motions = run(trajectory, 300)
    beyond = (motions[:, 0] - (HOME + DIRECTION)) * np.sign(DIRECTION)
    assert beyond.max() < 1e-5
    np.testing.assert_allclose(motions[-1, 0], HOME + DIRECTION, atol=1e-9)
    assert not motions[-1, 1:].any()
    assert trajectory.settled()
    settled = 1.0 + HALF_WINDOW_S + 2 * PERIOD
    assert np.abs(motions[times(300) > settled, 0] - (HOME + DIRECTION)).max() < 1e-6


def test_a_change_of_speed_announced_ahead_is_met_without_lag() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    first = line(0.5, 0.5, 20)
    corner = np.array(first[-1].positions)
    second = [Waypoint(500_000_000 + k * 25_000_000, tuple(corner - 0.01 * k * DIRECTION), 0.0) for k in range(1, 21)]
    trajectory.follow(first + second, 0)
    motions = run(trajectory, 230)
    now = times(230)
    asked = corner - np.where(now < 0.5, 0.5 * (0.5 - now), 0.4 * (now - 0.5))[:, None] * DIRECTION
    away = (now > 0.25) & (np.abs(now - 0.5) > HALF_WINDOW_S + 0.01)
    assert np.abs(motions[away, 0] - asked[away]).max() < 1e-4
    assert np.abs(motions[now > 0.25, 0] - asked[now > 0.25]).max() < 0.01


def test_blocks_sent_ahead_of_time_join_without_a_dip() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    whole = line(0.8, 1.0, 40)
    speeds = []
    for tick in range(240):
        if tick % 25 == 0 and tick // 25 < 8:
            block = tick // 25
            trajectory.follow(whole[5 * block : 5 * block + 10], tick * PERIOD_NS)
        speeds.append(trajectory.advance(tick * PERIOD_NS)[1])
    assert np.abs(np.array(speeds)[60:205] - 0.8 * DIRECTION).max() < 1e-6


def test_a_jittering_caller_does_not_shake_the_arm() -> None:
    jitter = np.random.default_rng(0).uniform(0, 800_000, 300)
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow(line(1.0, 1.0, 40), 0)
    motions = run(trajectory, 300, jitter)
    assert np.abs(motions[60:230, 1] - DIRECTION).max() < 0.02
    assert_within_limits(motions[:, 0])


def test_stop_comes_to_rest_quickly_and_stays() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow(line(1.0, 1.0, 40), 0)
    before = run(trajectory, 100)
    trajectory.stop()
    assert trajectory.active_until_ns == 0
    after = np.array([trajectory.advance((100 + tick) * PERIOD_NS) for tick in range(100)])
    assert_within_limits(np.vstack([before[:, 0], after[:, 0]]))
    assert not after[40:, 1:].any() and trajectory.settled()


def test_a_new_first_waypoint_replaces_only_what_is_later() -> None:
    reference = Reference(np.zeros(2), np.ones(1))
    reference.replace([Waypoint(time, (value,), 0.0) for time, value in ((100, 1.0), (200, 2.0), (300, 3.0))], 0, 0)
    reference.replace([Waypoint(250, (5.0,), 0.0)], 50, 50)
    assert reference.join(220, 50) == (200, pytest.approx(np.array([2.0, 0.0])))
    assert reference.join(1000, 50) == (250, pytest.approx(np.array([5.0, 0.0])))
    time_ns, point = reference.join(120, 150)
    assert time_ns == 150 and point == pytest.approx(np.array([1.5, 0.0]))


def test_the_gripper_is_interpolated_and_never_faster_than_its_limit() -> None:
    trajectory = Trajectory(SPEC, HOME, 0.0)
    trajectory.follow([Waypoint(400_000_000, SPEC.home, 0.04), Waypoint(450_000_000, SPEC.home, 0.08)], 0)
    widths = [0.0]
    for tick in range(250):
        trajectory.advance(tick * PERIOD_NS)
        widths.append(trajectory.gripper_width)
    assert np.abs(np.diff(widths)).max() <= SPEC.gripper_speed * PERIOD + 1e-12
    assert widths[50] == pytest.approx(0.02, abs=1e-3)
    assert widths[-1] == pytest.approx(0.08)


@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(1e-4, 5.0), step_ms=st.integers(1, 300))
def test_limits_hold_whatever_the_waypoints(seed: int, spread: float, step_ms: int) -> None:
    generator = np.random.default_rng(seed)
    trajectory = Trajectory(SPEC, HOME, 0.0)
    positions = []
    for tick in range(150):
        if tick % 40 == 0:
            now_ns = tick * PERIOD_NS
            walk = trajectory.motion[0] + np.cumsum(generator.normal(0.0, spread, (5, SPEC.dof)), axis=0)
            times_ns = now_ns + 1_000_000 * step_ms * np.arange(1, 6)
            trajectory.follow([Waypoint(int(t), tuple(p), 0.0) for t, p in zip(times_ns, walk, strict=True)], now_ns)
        positions.append(trajectory.advance(tick * PERIOD_NS)[0])
    assert_within_limits(np.array(positions))
