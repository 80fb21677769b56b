"""What every arm must do behind the driver, whoever made it: the simulated one and the emulated real ones alike."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot.arm.interface import ArmSpec
from robot.errors import Refused
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import BENCHES, Bench, Driving, Stand, driving, reset_until_mended, sine, standing

LINKED = [bench for bench in BENCHES if bench.has_link]
each_real_arm = pytest.mark.parametrize("bench", LINKED, ids=lambda bench: bench.name)


@pytest.fixture(scope="module", params=BENCHES, ids=lambda bench: bench.name)
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Driving]]:
    """One driver of each arm for the tests that leave both as they found them."""
    folder = tmp_path_factory.mktemp("driven")
    with standing(request.param, folder) as stand, driving(stand, folder) as driver:
        assert driver.command, driver.first_line + driver.process.communicate(timeout=300)[1]
        yield request.param, driver


@pytest.fixture
def shared_arm(driven: tuple[Bench, Driving]) -> tuple[Bench, Driving]:
    with driven[1].client() as client:
        client.reset()
    return driven


@pytest.fixture
def stand(bench: Bench, tmp_path: Path) -> Iterator[Stand]:
    with standing(bench, tmp_path) as stand:
        yield stand


@pytest.fixture
def driver(stand: Stand, tmp_path: Path) -> Iterator[Driving]:
    with driving(stand, tmp_path) as driver:
        assert driver.command, driver.first_line + driver.process.communicate(timeout=300)[1]
        yield driver


def assert_governed(spec: ArmSpec, states: list[JointState]) -> None:
    """Assert that set-points stay within the limits of position, velocity, acceleration and jerk, tick for tick."""
    assert len(states) > 10
    whole = [pair for pair in itertools.pairwise(states) if pair[1].tick - pair[0].tick == 1]
    assert len(whole) > 0.5 * len(states)
    for before, after in whole:
        assert (np.array(after.governed) <= np.array(spec.upper) + 1e-5).all()
        assert (np.array(after.governed) >= np.array(spec.lower) - 1e-5).all()
        step = np.abs(np.subtract(after.governed, before.governed)) * spec.rate_hz
        assert (step <= np.array(spec.velocity) * 1.01 + 1e-9).all()
        gain = np.abs(np.subtract(after.governed_velocity, before.governed_velocity)) * spec.rate_hz
        assert (gain <= np.array(spec.acceleration) * 1.01 + 1e-6).all()


@pytest.mark.real_time
def test_every_joint_tracks_a_sine_at_its_rate_and_keeps_every_limit(shared_arm: tuple[Bench, Driving]) -> None:
    bench, driver = shared_arm
    with driver.client() as client, Subscription(driver.state, b"state", JointState, 5000) as states:
        spec = client.arm
        client.acquire("conformance", 5.0)
        period_s = 2.0
        # A quarter of their velocity at most, and far enough to be told from noise; all at once.
        most = 0.25 * np.array(spec.velocity) * period_s / (2 * np.pi)
        amplitudes = {joint: min(0.15, float(most[joint])) for joint in range(spec.dof)}
        seen = sine(client, amplitudes, period_s, 4.0)
        states.drain()
        history = list(states.history)
    assert (np.ptp(seen[:, 0], axis=0) > 1.5 * np.array(list(amplitudes.values()))).all()
    assert np.abs(seen[:, 0] - seen[:, 1]).max() < bench.lag
    assert_governed(spec, history)
    span_s = (history[-1].time_ns - history[0].time_ns) * 1e-9
    assert (history[-1].tick - history[0].tick) / span_s > 0.8 * spec.rate_hz
    anew = sum(one.measured != two.measured for one, two in itertools.pairwise(history))
    assert anew > 0.3 * len(history)
    assert not any(state.clamps for state in history)


@pytest.mark.real_time
def test_it_ramps_to_hold_when_the_lease_lapses(shared_arm: tuple[Bench, Driving]) -> None:
    _, driver = shared_arm
    with driver.client() as client, Subscription(driver.state, b"state", JointState, 5000) as states:
        spec = client.arm
        lease = client.acquire("conformance", 0.5)
        place = list(client.state(10.0).governed)
        place[-1] += 0.5
        client.send_waypoints(
            [Waypoint(time.monotonic_ns() + 2_000_000_000, tuple(place), client.state(10.0).gripper_command)]
        )
        time.sleep(1.5)  # as one that was killed or stopped: nothing comes from it any more
        states.drain()
        history = list(states.history)
    moving = [state for state in history if any(state.governed_velocity)]
    lapse = next(state for state in history if state.mode == "holding" and state.time_ns > moving[0].time_ns)
    assert lapse.time_ns - lease.expires_ns < 600_000_000
    assert max(abs(state.governed_velocity[-1]) for state in moving) > 0.1
    assert not any(history[-1].governed_velocity)
    rest = next(state for state in history if state.tick > lapse.tick and not any(state.governed_velocity))
    assert (rest.time_ns - lapse.time_ns) * 1e-9 < 1.0
    assert_governed(spec, history)


@pytest.mark.real_time
@each_real_arm
def test_it_survives_its_link_going_away_and_coming_back_without_a_jump(
    bench: Bench, stand: Stand, driver: Driving
) -> None:
    with driver.client() as client, Subscription(driver.state, b"state", JointState, 5000) as states:
        spec = client.arm
        client.acquire("conformance", 5.0)
        place = list(client.state(10.0).governed)
        place[-1] += 0.4
        width = client.state(10.0).gripper_command
        client.send_waypoints([Waypoint(time.monotonic_ns() + 1_500_000_000, tuple(place), width)])
        until(lambda: any(client.state(10.0).governed_velocity))
        stand.cut()
        until(lambda: client.state(10.0).mode == "fault")
        with pytest.raises(Refused):
            client.acquire("conformance", 1.0)
        stand.mend()
        reset_until_mended(client)
        states.drain()
        states.history.clear()
        before = client.state(10.0)
        assert np.abs(np.subtract(before.governed, before.measured)).max() < bench.lag
        client.acquire("conformance", 5.0)
        seen = sine(client, {spec.dof - 1: 0.1}, 2.0, 2.0)
        states.drain()
        assert_governed(spec, list(states.history))
        assert np.abs(seen[:, 0] - seen[:, 1]).max() < bench.lag


@each_real_arm
def test_it_does_not_start_outside_its_limits_nor_move(bench: Bench, tmp_path: Path) -> None:
    with standing(bench, tmp_path, bench.outside) as stand, driving(stand, tmp_path) as driver:
        out, err = driver.process.communicate(timeout=300)
        assert (driver.process.returncode, driver.first_line + out) == (1, "")
        assert "outside" in err and "by hand" in err


@pytest.mark.real_time
@each_real_arm
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_is_parked_on_exit_with_its_torque_on(
    bench: Bench, stand: Stand, driver: Driving, how: signal.Signals
) -> None:
    with driver.client() as client:
        client.acquire("conformance", 5.0)
        place = list(client.state(10.0).governed)
        place[-1] += 0.4
        width = client.state(10.0).gripper_command
        client.send_waypoints([Waypoint(time.monotonic_ns() + 1_500_000_000, tuple(place), width)])
        until(lambda: any(client.state(10.0).governed_velocity))
        status, out, err = driver.end(how)
    assert status == (130 if how == signal.SIGINT else 128 + how), err
    assert "at rest and parked" in out
    assert bench.assert_holding is not None
    bench.assert_holding(stand)
