"""An arm that fails in mid-motion, in whatever way, is brought to rest as long as it takes set-points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from robot.arm.effort_limit import READINGS
from robot.client.client import Client
from robot.client.home import go_home
from robot.errors import Refused
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.robot.driver.checks import SPEC, assert_no_jump, away, move, now
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options


def fast(**options: int | bool) -> Options:
    """Failures that begin in mid-motion."""
    return Options(in_motion=True, **options)  # type: ignore[arg-type]


@contextmanager
def in_motion(process: DriverProcess) -> Iterator[Client]:
    """The last joint is on its way, at up to 1 rad/s."""
    with process.client() as client:
        client.acquire("agent", 10.0)
        move(client, away(6, 1.0, 1.5))
        yield client


def assert_ramped(process: DriverProcess) -> None:
    """Assert that the set-points that the arm took came to rest, within limits, from mid-motion."""
    taken = np.array(json.loads(process.written.read_text()))
    velocity = np.diff(taken, axis=0) * SPEC.rate_hz
    gain = np.abs(np.diff(velocity, axis=0))
    assert np.abs(velocity).max() > 0.5
    assert (gain <= np.asarray(SPEC.acceleration) / SPEC.rate_hz * 1.02 + 1e-6).all()
    assert np.abs(velocity[-1]).max() < 0.05
    assert abs(taken[-1, 6] - SPEC.home[6]) < 0.9, "it went on to its goal"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (fast(read_fails_after=10), "the cable was pulled"),
        (fast(read_fails_after=10, foreign=True), "OSError: the cable was pulled"),
        (fast(silent_after=1), "has not reported for"),
        (fast(not_finite_after=10), "not finite"),
        (fast(objects_fail_after=10, foreign=True), "OSError: the camera above the table is gone"),
    ],
)
def test_an_arm_that_is_no_longer_seen_is_ramped_to_rest(tmp_path: Path, options: Options, words: str) -> None:
    with DriverProcess(tmp_path, options) as process:
        with Subscription(process.state, b"state", JointState, 5000) as states:
            states.wait(10.0)
            with in_motion(process) as client:
                until(lambda: now(client).mode == "fault")
                until(lambda: max(map(abs, now(client).governed_velocity)) == 0.0)
                assert words in now(client).reason
            states.drain()
            seen = list(states.history)
        status, out, err = process.end()
    assert (status, err) == (130, "")
    assert "ended in a fault" in out
    assert_no_jump(seen)
    fault = next(index for index, state in enumerate(seen) if state.mode == "fault")
    assert abs(seen[fault].governed_velocity[6]) > 0.1, "the fault came in mid-motion"
    assert_ramped(process)


def test_an_arm_that_fails_on_the_way_out_is_ramped_to_rest_before_it_is_left(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, fast(read_fails_after=10, interrupts=True)) as process, in_motion(process):
        status, out, err = process.wait()
    assert (status, err) == (130, "")
    assert "ended in a fault" in out
    assert_ramped(process)


@pytest.mark.parametrize("foreign", [False, True])
def test_an_arm_that_takes_no_set_points_is_sent_no_more(tmp_path: Path, foreign: bool) -> None:
    with DriverProcess(tmp_path, fast(write_fails_after=10, foreign=foreign)) as process:
        with in_motion(process) as client:
            until(lambda: now(client).mode == "fault")
            state = now(client)
            later = client.state_near(state.time_ns + 100_000_000, timeout_s=5.0)
        status, _, err = process.end()
    assert (status, err) == (130, "")
    assert "a joint is too hot" in later.reason
    assert later.governed_velocity == (0.0,) * SPEC.dof
    assert process.diary.read_text().splitlines().count("refused") == 1


def test_a_defect_that_stays_does_not_keep_the_arm_from_coming_to_rest(tmp_path: Path) -> None:
    """A scene that cannot be encoded breaks the publishing of every tick."""
    with DriverProcess(tmp_path, fast(objects_absurd_after=10)) as process, in_motion(process):
        status, _, err = process.wait()
    assert status == 1
    assert "TypeError" in err
    parked, closed = process.diary.read_text().splitlines()[-2:]
    assert float(parked.split()[2]) < 0.02
    assert closed == "close"
    assert_ramped(process)


def test_an_arm_that_presses_too_hard_is_stopped_and_stays_so_until_reset(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, fast(presses_after=10, presses_for=40)) as process, in_motion(process) as client:
        until(lambda: now(client).mode == "stopped")
        assert "panda_joint4 bears 100.0 N·m, more than the 87 allowed" in now(client).reason
        with pytest.raises(Refused, match="bears"):
            client.acquire("agent", 1.0)
        until(lambda: max(map(abs, now(client).governed_velocity)) == 0.0)
        until(lambda: max(map(abs, now(client).measured_effort)) == 1.0)
        client.reset()
        assert client.acquire("agent", 1.0).holder == "agent"
        process.end()
        assert_ramped(process)


def test_a_joint_that_does_not_follow_is_a_fault_until_it_is_mended(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, fast(sticks_after=10, mends=True)) as process, in_motion(process) as client:
        until(lambda: now(client).mode == "fault")
        assert "panda_joint7 does not follow: it is" in now(client).reason
        until(lambda: max(map(abs, now(client).governed_velocity)) == 0.0)
        client.reset()
        until(lambda: now(client).mode == "idle")
        state = now(client)
        assert np.abs(np.subtract(state.governed, state.measured)).max() < 1e-9
        assert client.acquire("agent", 1.0).holder == "agent"


def test_home_begins_where_the_arm_is_and_not_where_its_set_point_was(tmp_path: Path) -> None:
    """Its last joint stays 0.1 rad behind: too little to be a fault, and more than a step of the way home."""
    with DriverProcess(tmp_path, Options(sticks_after=10)) as process, process.client() as client:

        def commanded() -> bool:
            if now(client).mode != "active":  # also after a pause of the driver, which drops its plan
                client.acquire("agent", 10.0)
                move(client, away(6, 0.1, 1.0))
            return bool(np.isclose(now(client).governed[6], SPEC.home[6] + 0.1))

        until(commanded)
        client.release()
        assert go_home(client, 0.5) < 0.03


def test_a_moments_disturbance_of_what_is_measured_stops_nothing(tmp_path: Path) -> None:
    short = fast(presses_after=10, presses_for=READINGS - 1)
    with DriverProcess(tmp_path, short) as process, in_motion(process) as client:
        until(lambda: abs(now(client).measured[6] - SPEC.home[6]) > 0.9)
        assert now(client).mode == "active"


@pytest.mark.parametrize("options", [fast(read_fails_after=10, mends=True), fast(write_fails_after=10, mends=True)])
def test_a_reset_starts_a_mended_arm_anew_where_it_stands(tmp_path: Path, options: Options) -> None:
    with DriverProcess(tmp_path, options) as process, in_motion(process) as client:
        until(lambda: now(client).mode == "fault")
        client.reset()
        until(lambda: now(client).mode == "idle")
        state = now(client)
        # Where it was found, not where it was last sent: it had been moved meanwhile.
        assert np.abs(np.subtract(state.governed, state.measured)).max() < 1e-9
        with Subscription(process.state, b"state", JointState, 5000) as states:
            client.acquire("agent", 10.0)
            move(client, away(6, 0.2, 0.8, base=state.measured))
            until(lambda: abs(now(client).measured[6] - state.measured[6]) > 0.15)
            states.drain()
            assert_no_jump(list(states.history))
    called = [line for line in process.diary.read_text().splitlines() if line in ("start", "close")]
    assert called[:3] == ["start", "close", "start"]


def test_a_reset_leaves_an_arm_that_still_fails_in_its_fault(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, fast(read_fails_after=10)) as process, in_motion(process) as client:
        until(lambda: now(client).mode == "fault")
        with pytest.raises(Refused, match="the cable was pulled; fix that, then reset again"):
            client.reset()
        assert now(client).mode == "fault"
        with pytest.raises(Refused, match="send a reset"):
            client.acquire("agent", 1.0)
