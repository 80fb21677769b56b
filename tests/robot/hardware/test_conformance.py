"""What every arm must do behind the driver, whoever made it: the simulated one and the emulated real ones alike."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from robot.arm.interface import ArmSpec
from robot.benchmark.key_holders import person, user
from robot.client.client import Client
from robot.errors import Refused
from robot.wire.keyring import Role
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription
from tests.commands import in_process
from tests.robot.driver.command import until
from tests.robot.hardware.arm_bench import (
    BENCHES,
    FRANKA,
    Bench,
    Driving,
    Stand,
    driving,
    ended,
    reset_until_mended,
    sine,
    standing,
)

# The Franka's physics keeps a core busy, and answers late where it has none to itself.
EVERY = [pytest.param(bench, id=bench.name, marks=[pytest.mark.alone] * (bench is FRANKA)) for bench in BENCHES]
LINKED = [param for bench, param in zip(BENCHES, EVERY, strict=True) if bench.has_link]
each_real_arm = pytest.mark.parametrize("bench", LINKED)


class Driven(NamedTuple):
    """An arm with its driver, and the driver's flight log."""

    bench: Bench
    driver: Driving
    flight_log: Path


@pytest.fixture(scope="module", params=EVERY)
def driven(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """One driver of each arm for the tests that leave both as they found them."""
    folder = tmp_path_factory.mktemp("driven")
    with standing(request.param, folder) as stand, driving(stand, folder) as driver:
        assert driver.command, driver.first_line + driver.process.communicate(timeout=300)[1]
        yield Driven(request.param, driver, folder / "black-box")


@pytest.fixture
def shared_arm(driven: Driven) -> Driven:
    with driven.driver.client() as client:
        _make_well(client)
    return driven


def _make_well(client: Client) -> None:
    """Reset an arm that the test before left stopped or in a fault."""
    if client.state(10.0).mode == "fault":
        reset_until_mended(client)
    else:
        client.reset()


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
def test_every_joint_tracks_a_sine_at_its_rate_and_keeps_every_limit(shared_arm: Driven) -> None:
    bench, driver, _ = shared_arm
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
def test_it_ramps_to_hold_when_the_lease_lapses(shared_arm: Driven) -> None:
    driver = shared_arm.driver
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


def set_off(client: Client, seconds: float) -> float:
    """Move the last joint steadily for that time, wait until it has set off, and return its speed, rad/s."""
    spec = client.arm
    speed = min(0.25, 0.2 * spec.velocity[-1])
    until(lambda: not any(client.state(10.0).governed_velocity))
    start = client.state(10.0)
    begin_ns = time.monotonic_ns() + 200_000_000
    waypoints = []
    for step in range(int(seconds / 0.1) + 1):
        place = list(start.governed)
        place[-1] += speed * 0.1 * step
        waypoints.append(Waypoint(begin_ns + step * 100_000_000, tuple(place), start.gripper_command))
    client.acquire("conformance", 5.0)
    client.send_waypoints(waypoints, time.monotonic_ns() + 5_000_000_000)
    until(lambda: abs(client.state(10.0).governed_velocity[-1]) > 0.95 * speed)
    return speed


@pytest.mark.real_time
def test_after_a_freeze_of_its_driver_it_comes_to_rest_and_does_not_run_after_its_plan(shared_arm: Driven) -> None:
    driver = shared_arm.driver
    with driver.client() as client, Subscription(driver.state, b"state", JointState, 5000) as states:
        speed = set_off(client, 3.0)
        # An arm with little jerk sets off late and catches up; that is over when it moves as planned.
        time.sleep(0.6)
        states.drain()
        states.history.clear()
        driver.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        driver.process.send_signal(signal.SIGCONT)
        # An arm that watches its link may have given up meanwhile; that is a fault, and rest too.
        until(lambda: client.state(10.0).mode in ("holding", "fault") and not any(client.state(10.0).governed_velocity))
        assert client.state(10.0).holder == ""
        states.drain()
        history = list(states.history)
        assert max(abs(state.governed_velocity[-1]) for state in history) <= 1.03 * speed
        if history[-1].mode == "holding":
            assert "stood still" in history[-1].reason
        _make_well(client)
        set_off(client, 0.5)


@pytest.mark.real_time
def test_a_flight_log_that_is_cut_short_does_not_end_its_motion(shared_arm: Driven) -> None:
    with shared_arm.driver.client() as client:
        set_off(client, 1.0)
        client.renew()
        for segment in shared_arm.flight_log.glob("segment-*"):
            os.truncate(segment, 0)
        goal_ns = client.state(10.0).active_until_ns
        there = client.state_near(goal_ns + 1_000_000_000, 10.0)
        assert there.mode == "active" and not any(there.governed_velocity) and not there.clamps


@pytest.mark.real_time
@pytest.mark.parametrize("bench", EVERY)
def test_a_key_that_is_revoked_ends_its_motion(bench: Bench, tmp_path: Path) -> None:
    with user(tmp_path / "driver") as keyring:
        public = keyring.make().public
        with standing(bench, tmp_path) as stand, driving(stand, tmp_path, "--curve") as driver:
            assert driver.command, driver.first_line + driver.process.communicate(timeout=300)[1]
            with user(person(tmp_path / "mover", keyring, public, Role.COMMAND)), driver.client() as client:
                set_off(client, 3.0)
                begun_ns = time.monotonic_ns()
                keyring.revoke("mover")
                with user(person(tmp_path / "watcher", keyring, public, Role.WATCH)), driver.client() as watcher:
                    until(lambda: watcher.state(10.0).mode == "holding")
                    until(lambda: not any(watcher.state(10.0).governed_velocity))
                    assert "may no longer command" in watcher.state(10.0).reason
                    assert time.monotonic_ns() - begun_ns < 2_500_000_000  # the lease had 5 s, and the plan 3


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
def test_what_stops_it_is_a_fault_within_a_second_that_names_cause_and_cure(bench: Bench, tmp_path: Path) -> None:
    assert bench.walled is not None
    stand = bench.walled(tmp_path)
    with ended(stand), driving(stand, tmp_path) as driver, driver.client() as client:
        wall = client.arm.home[-1] + 0.3
        with Subscription(driver.state, b"state", JointState, 5000) as states:

            def press_on() -> None:
                """Set off for behind the wall, again where a pause of the driver dropped the plan."""
                state = client.state(10.0)
                if state.mode in ("idle", "holding") and not any(state.governed_velocity):
                    place = (*state.measured[:-1], wall + 0.7)
                    due_ns = time.monotonic_ns() + 2_000_000_000
                    with suppress(Refused):  # it may have come to the fault meanwhile
                        client.acquire("conformance", 10.0)
                        client.send_waypoints([Waypoint(due_ns, place, state.gripper_command)], due_ns)

            def faults() -> list[JointState]:
                press_on()
                states.drain()
                return [state for state in states.history if state.mode == "fault"]

            until(faults)
            history, fault = list(states.history), faults()[0]
        assert re.search(bench.stopped_by, fault.reason)
        there = next(state for state in history if state.measured[-1] > wall - 0.02)
        assert fault.tick - there.tick < client.arm.rate_hz
        with pytest.raises(Refused, match=bench.stopped_by):
            client.acquire("conformance", 5.0)
        shown = in_process("status", "--command-address", driver.command).stdout
        assert re.search(f"^mode +fault: .*{bench.stopped_by}", shown, re.MULTILINE)
    log = in_process("log", "show", str(tmp_path / "black-box")).stdout
    assert re.search(f"mode fault .*{bench.stopped_by}", log)


@pytest.mark.real_time
@each_real_arm
def test_it_is_parked_on_exit_with_its_torque_on(bench: Bench, stand: Stand, driver: Driving) -> None:
    with driver.client() as client:
        client.acquire("conformance", 5.0)
        place = list(client.state(10.0).governed)
        place[-1] += 0.4
        width = client.state(10.0).gripper_command
        client.send_waypoints([Waypoint(time.monotonic_ns() + 1_500_000_000, tuple(place), width)])
        until(lambda: any(client.state(10.0).governed_velocity))
        status, out, err = driver.end(signal.SIGTERM)
    assert status == 128 + signal.SIGTERM, err
    assert "at rest and parked" in out
    assert bench.assert_holding is not None
    bench.assert_holding(stand)
