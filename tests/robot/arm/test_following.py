"""Who follows its set-points, however late and on however slow a machine, is left alone; who does not is named soon."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.arm.following import PERSISTS_S, FollowingMonitor
from robot.arm.interface import Reading
from tests.robot.panda import panda_spec

SPEC = msgspec.structs.replace(panda_spec(), rate_hz=100.0)
STILL = (0.0,) * SPEC.dof
HOME = np.array(SPEC.home)


def reading(time_s: float, joints: np.ndarray) -> Reading:
    return Reading(round(time_s * 1e9), tuple(joints.tolist()), STILL, 0.04)


def way(time_s: float, speed: float) -> np.ndarray:
    """The set-point of a motion to and fro, whose last joint is as fast as it may be at `speed` 1."""
    joints = HOME.copy()
    joints[-1] += 0.8 * np.sin(speed * SPEC.velocity[-1] / 0.8 * max(0.0, time_s))
    return joints


@settings(max_examples=12)
@given(
    lag_s=st.floats(0.0, 0.9 * SPEC.lag_s),
    speed=st.floats(0.0, 1.0),
    sag=st.floats(0.0, 0.9 * SPEC.follow_error),
    gaps=st.lists(st.tuples(st.integers(0, 250), st.floats(0.0, 3.0)), max_size=4),
    stale=st.lists(st.integers(0, 250), max_size=100),
)
def test_an_arm_that_follows_late_is_no_fault_on_any_machine(
    lag_s: float, speed: float, sag: float, gaps: list[tuple[int, float]], stale: list[int]
) -> None:
    """The driver stands still for a while, as in `gaps`, or gets the reading before once more, as in `stale`."""
    monitor, clock, seen = FollowingMonitor(SPEC), 0.0, reading(0.0, HOME)
    for tick in range(250):
        # A driver that stood still goes on with its plan where it was, so the arm has had that long to arrive.
        clock += 0.01 + sum(gap for at, gap in gaps if at == tick)
        if tick not in stale:
            seen = reading(clock, way(0.01 * tick - lag_s, speed) - sag)
        assert monitor.see(seen) == ""
        monitor.command(way(0.01 * tick, speed))


@settings(max_examples=12)
@given(joint=st.integers(0, SPEC.dof - 1), speed=st.floats(0.2, 1.0), stuck_at=st.floats(0.0, 1.0))
def test_a_joint_that_stays_behind_is_named_within_a_second_of_being_too_far(
    joint: int, speed: float, stuck_at: float
) -> None:
    monitor, joints = FollowingMonitor(SPEC), HOME.copy()
    stuck, far_s = None, None
    for tick in range(600):
        time_s = 0.01 * tick
        measured = joints.copy()
        if time_s >= stuck_at:
            stuck = measured[joint] if stuck is None else stuck
            measured[joint] = stuck
        if far_s is None and abs(measured - joints).max() > SPEC.follow_error:
            far_s = time_s
        if said := monitor.see(reading(1.0 + time_s, measured)):
            assert said.startswith(f"{SPEC.joint_names[joint]} does not follow: it is ")
            assert far_s is not None and PERSISTS_S <= time_s - far_s + 0.011 < 1.0
            return
        joints[joint] += 0.01 * speed
        monitor.command(joints.copy())
    raise AssertionError("it went unnoticed")


def test_a_motor_that_lets_go_is_noticed_at_rest_and_a_moments_push_is_not() -> None:
    monitor, fallen = FollowingMonitor(SPEC), HOME.copy()
    fallen[1] += 0.3
    for tick in range(100):
        monitor.command(HOME)
        pushed = fallen if 50 <= tick < 50 + round(0.5 * PERSISTS_S * SPEC.rate_hz) else HOME
        assert monitor.see(reading(0.01 * tick, pushed)) == ""
    said = [monitor.see(reading(2.0 + 0.01 * tick, fallen)) for tick in range(50)]
    assert any(said) and "panda_joint2" in said[-1]


def test_what_was_commanded_before_the_arm_was_engaged_anew_does_not_count() -> None:
    monitor = FollowingMonitor(SPEC)
    for tick in range(50):
        monitor.command(HOME)
        assert not monitor.see(reading(0.01 * tick, HOME + 0.5)) or tick >= 9
    monitor.begin()
    for tick in range(50):
        assert monitor.see(reading(1.0 + 0.01 * tick, HOME + 0.5)) == ""
        monitor.command(HOME + 0.5)
