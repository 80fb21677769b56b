"""The driver as a process of its own: it moves, stops, holds, hands over, and tells when the arm fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from robot.client.scene_client import SceneClient
from robot.errors import ConnectionLost, Refused
from robot.wire.messages import JointState, ObjectPose
from robot.wire.subscription import Subscription
from tests.robot.driver.checks import MS, SPEC, S, assert_lapsed_in_time, assert_no_jump, away, move, now, steady
from tests.robot.driver.command import ROOT, DriverProcess, until
from tests.robot.kinematic_arm import Options


@pytest.mark.real_time
def test_it_starts_where_the_arm_is_and_goes_where_it_is_told(running: DriverProcess) -> None:
    with running.client() as client:
        assert client.arm == SPEC
        assert client.has_scene
        assert client.state_address == running.state
        before = now(client)
        assert before.governed == pytest.approx(before.measured, abs=1e-6)
        lease = client.acquire("agent", 2.0)
        assert lease.holder == "agent"
        assert lease.expires_ns - time.monotonic_ns() < 2 * S
        base = before.measured
        goal = away(0, 0.2, 0.5, 0.03, base)
        back = away(0, 0.0, 1.2, 0.05, base)
        accepted = move(client, goal, back)
        assert (accepted.sequence, accepted.clamps) == (1, ())
        there = client.state_near(goal.time_ns + 20 * MS, timeout_s=5)
        assert (there.mode, there.holder, there.reason) == ("active", "agent", "")
        assert there.active_until_ns == back.time_ns
        assert there.measured[0] - base[0] == pytest.approx(0.2, abs=0.03)
        done = client.state_near(back.time_ns + 200 * MS, timeout_s=5)
        assert done.measured == pytest.approx(base, abs=1e-3)
        assert done.gripper_command == pytest.approx(0.05, abs=1e-6)
        assert_no_jump(list(client._following().history))


@pytest.mark.real_time
def test_waypoints_renew_the_lease(running: DriverProcess) -> None:
    with running.client() as client:
        client.acquire("agent", 0.4)
        base = now(client).measured
        for _ in range(8):
            move(client, away(0, 0.0, 0.2, base=base))
            time.sleep(0.1)
        assert now(client).holder == "agent"


# ---------------------------------------------------------------- stop and reset


@pytest.mark.real_time
def test_stop_by_anyone_latches_until_reset_and_ends_the_lease(running: DriverProcess) -> None:
    with running.client() as agent, running.client() as person:
        agent.acquire("agent", 10.0)
        base = now(agent).measured
        move(agent, away(0, 0.4, 1.0, base=base))
        time.sleep(0.4)
        person.stop("a person pressed stop")
        stopped = steady(person)
        assert (stopped.mode, stopped.reason, stopped.holder) == ("stopped", "a person pressed stop", "")
        assert stopped.active_until_ns == 0
        assert 0.0 < stopped.measured[0] - base[0] < 0.4
        for call in (agent.renew, lambda: move(agent, away(0, 0.1, 1.0)), lambda: person.acquire("p", 1.0)):
            with pytest.raises(Refused) as caught:
                call()
            assert caught.value.reason == "stopped"
        time.sleep(0.2)
        assert now(person).governed == stopped.governed
        person.stop("again")
        until(lambda: now(person).reason == "again")
        person.reset()
        until(lambda: now(person).mode == "idle")
        with pytest.raises(Refused) as caught:
            move(agent, away(0, 0.1, 1.0))
        assert caught.value.reason == "not-holder"
        agent.acquire("agent", 1.0)
        assert_no_jump(list(person._following().history))


# ---------------------------------------------------------------- the watchdog


HOLDER = """
import sys, time
from robot.client.client import Client
from robot.wire.messages import Waypoint
client = Client(sys.argv[1], 5.0)
base = client.state(10.0).measured
client.acquire("doomed", 0.6)
now = time.monotonic_ns()
positions = (*base[:6], base[6] - 1.5)
client.send_waypoints([Waypoint(now + 1_500_000_000, positions, 0.04)], now + 1_000_000_000)
print("moving", flush=True)
while True:
    client.renew()
    time.sleep(0.05)
"""


@pytest.mark.real_time
def test_a_writer_killed_in_mid_motion_leaves_the_arm_holding_and_the_next_takes_over(running: DriverProcess) -> None:
    with running.client() as watcher, Subscription(running.state, b"state", JointState, 5000) as states:
        states.wait(5)
        writer = subprocess.Popen(
            [sys.executable, "-c", HOLDER, running.command],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "moving\n"
            start = now(watcher).measured[6]
            until(lambda: now(watcher).governed_velocity[6] < -0.5)
        finally:
            writer.kill()
            writer.communicate()
        killed_ns = time.monotonic_ns()
        rest = steady(watcher)
        assert rest.mode == "holding"
        assert rest.reason == "the lease of doomed lapsed: its client sent nothing in time"
        assert rest.gripper_command < 0.08
        assert start - 1.4 < rest.governed[6] < start
        # The next writer takes over before the arm has been asked to rest, and then while it moves.
        watcher.acquire("next", 2.0)
        base = now(watcher).measured
        move(watcher, away(6, 0.5, 0.8, base=base))
        time.sleep(0.3)
        watcher.release()
        watcher.acquire("and the next", 2.0)
        taken = move(watcher, away(6, 0.0, 1.5, base=base))
        assert taken.clamps == ()
        states.drain()
        seen = list(states.history)
        assert_no_jump(seen)
        assert_lapsed_in_time(seen, killed_ns + 600 * MS)


@pytest.mark.real_time
def test_a_lease_that_runs_out_is_told_at_the_next_tick(running: DriverProcess) -> None:
    with running.client() as client, Subscription(running.state, b"state", JointState, 1000) as states:
        states.wait(5)
        expires_ns = client.acquire("sleeper", 0.05).expires_ns
        states.wait_for(lambda: "lapsed" in states.history[-1].reason, 5, "the lapse")
        assert_lapsed_in_time(list(states.history), expires_ns)


# ---------------------------------------------------------------- the scene


@pytest.mark.real_time
def test_placing_objects_begins_a_new_epoch_at_once(running: DriverProcess) -> None:
    pose = ObjectPose("cube", (0.45, 0.1, 0.02), (0.0, 0.0, 0.0, 1.0))
    with running.client() as client, SceneClient(running.state) as scenes:
        before = scenes.latest(5.0)
        assert scenes.latest(5.0, after_ns=before.time_ns).time_ns - before.time_ns < 200 * MS
        client.acquire("judge", 5.0)
        client.place_objects([pose])
        after = scenes.latest(5.0, epoch=before.epoch + 1)
        assert after.epoch == before.epoch + 1
        assert after.objects == (pose,)
        assert after.joints == pytest.approx(now(client).measured, abs=1e-3)
        for objects, reason in [
            ([msgspec.structs.replace(pose, name="unicorn")], "unknown-object"),
            ([msgspec.structs.replace(pose, orientation=(0.0, 0.0, 0.0, 0.0))], "malformed"),
            ([msgspec.structs.replace(pose, position=(1e200, 0.0, 0.0))], "out-of-workspace"),
        ]:
            with pytest.raises(Refused) as caught:
                client.place_objects(objects)
            assert caught.value.reason == reason
        assert scenes.latest(5.0, after_ns=time.monotonic_ns()).epoch == before.epoch + 1


@pytest.mark.real_time
def test_a_scene_is_found_again_by_its_time(running: DriverProcess) -> None:
    with SceneClient(running.state) as scenes:
        first = scenes.latest(5.0)
        later = scenes.near(first.time_ns + 300 * MS, 5.0)
        assert abs(later.time_ns - first.time_ns - 300 * MS) <= 10 * MS + 4 * MS
        scenes.latest(5.0, after_ns=later.time_ns + 200 * MS)
        assert scenes.near(later.time_ns + 1 * MS) == later
        with pytest.raises(ConnectionLost, match=r"no scene within 0\.05 s of the requested time"):
            scenes.near(first.time_ns - 1000 * MS)


def test_an_arm_without_a_scene_refuses_to_place_objects(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, arm="bare") as process, process.client() as client:
        assert not client.has_scene
        client.acquire("judge", 1.0)
        with pytest.raises(Refused) as caught:
            client.place_objects([])
        assert caught.value.reason == "no-scene"
        with SceneClient(process.state) as scenes, pytest.raises(ConnectionLost, match="scene"):
            scenes.latest(0.3)


# ---------------------------------------------------------------- faults of the arm


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(read_fails_after=100), "the cable was pulled"),
        (Options(write_fails_after=100), "a joint is too hot"),
        (Options(silent_after=100), "has not reported for"),
        (Options(not_finite_after=100), "not finite"),
    ],
)
def test_an_arm_that_fails_is_told_in_every_state_and_the_driver_goes_on_answering(
    tmp_path: Path, options: Options, words: str
) -> None:
    with DriverProcess(tmp_path, options) as process:
        with process.client() as client:
            until(lambda: now(client).mode == "fault")
            state = now(client)
            assert words in state.reason
            for call in (client.reset, lambda: client.acquire("agent", 1.0), lambda: client.stop("stop")):
                with pytest.raises(Refused) as caught:
                    call()
                assert caught.value.reason == "fault"
                assert words in caught.value.detail
            assert client.spec().arm == SPEC
            later = client.state_near(state.time_ns + 100 * MS, timeout_s=5)
            assert later.mode == "fault"
        status, out, err = process.end()
        assert (status, err) == (130, "")
        assert "ended in a fault" in out
    assert process.diary.read_text().splitlines()[-1] == "close"


def test_an_arm_that_starts_outside_its_limits_is_not_moved(tmp_path: Path) -> None:
    start = (0.0, -0.4, 0.0, -2.4, 0.0, 2.0, 3.2)
    with DriverProcess(tmp_path, Options(start=start)) as process:
        status, out, err = process.wait()
        assert (status, process.first_line, out) == (1, "", "")
        assert err.count("\n") == 1
        assert "panda_joint7" in err
        assert "outside its limits" in err
    assert process.diary.read_text().splitlines() == ["start", "park at 0.0000 rad/s", "close"]
