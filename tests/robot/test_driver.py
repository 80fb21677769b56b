"""The driver as a process of its own, with real sockets, real signals and peers that misbehave."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from robot.client import Client
from robot.errors import ConnectionLost, Refused
from robot.inbox import MAX_REQUEST_BYTES
from robot.messages import (
    Accepted,
    AcquireLease,
    Body,
    Done,
    JointState,
    Lease,
    ObjectPose,
    Refusal,
    Reset,
    SpecRequest,
    Stop,
    Waypoint,
    Waypoints,
    decode,
    encode,
)
from robot.scene_client import SceneClient
from robot.subscription import Subscription
from tests.robot.driver_command import ROOT, DriverProcess, until
from tests.robot.kinematic_arm import Options
from tests.robot.panda import panda_spec

MS = 1_000_000
S = 1_000_000_000
SPEC = panda_spec()
HOME = SPEC.home


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriverProcess]:
    """One driver for the tests that leave it as they found it; each begins with a reset and a free lease."""
    with DriverProcess(tmp_path_factory.mktemp("shared")) as process:
        yield process
        assert process.process.poll() is None, "the driver did not outlive its tests"


@pytest.fixture
def running(shared: DriverProcess) -> DriverProcess:
    with shared.client() as client:
        client.reset()
        until(lambda: client.state().holder == "" and client.state().mode in ("idle", "holding"))
    return shared


def away(joint: int, by: float, after_s: float, gripper_width: float = 0.08, base=HOME) -> Waypoint:
    """A waypoint `after_s` from now with one joint moved."""
    positions = list(base)
    positions[joint] += by
    return Waypoint(time.monotonic_ns() + round(after_s * S), tuple(positions), gripper_width)


def steady(client: Client) -> JointState:
    """Wait until the arm rests, and return its state."""
    until(lambda: max(map(abs, client.state().governed_velocity)) < 1e-9)
    return client.state()


def assert_no_jump(states: list[JointState]) -> None:
    """Assert that the governed positions stay within limits of velocity, from tick to tick."""
    assert len(states) > 10
    for before, after in itertools.pairwise(states):
        ticks = after.tick - before.tick
        assert ticks > 0
        step = np.abs(np.subtract(after.governed, before.governed))
        assert (step <= np.asarray(SPEC.velocity) * ticks / SPEC.rate_hz * 1.01 + 1e-9).all()
        if ticks == 1:
            gain = np.abs(np.subtract(after.governed_velocity, before.governed_velocity))
            assert (gain <= np.asarray(SPEC.acceleration) / SPEC.rate_hz * 1.01 + 1e-9).all()


class Raw:
    """A peer that sends whatever bytes it likes."""

    def __init__(self, address: str, kind: int = zmq.DEALER) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)

    def answer(self, *frames: bytes, patience_ms: int = 10_000) -> Body | None:
        self.socket.send_multipart(frames)
        if not self.socket.poll(patience_ms):
            return None
        return decode(self.socket.recv_multipart()[-1]).body

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()


# ---------------------------------------------------------------- moving and following


def test_it_starts_where_the_arm_is_and_goes_where_it_is_told(running: DriverProcess) -> None:
    with running.client() as client:
        assert client.arm == SPEC
        assert client.has_scene
        assert client.state_address == running.state
        before = client.state()
        assert before.governed == pytest.approx(before.measured, abs=1e-6)
        lease = client.acquire("agent", 2.0)
        assert lease.holder == "agent"
        assert lease.expires_ns - time.monotonic_ns() < 2 * S
        base = before.measured
        goal = away(0, 0.2, 0.5, 0.03, base)
        back = away(0, 0.0, 1.2, 0.05, base)
        assert client.send_waypoints([goal, back]) == Accepted(1, ())
        there = client.state_near(goal.time_ns + 20 * MS, timeout_s=5)
        assert (there.mode, there.holder, there.reason) == ("active", "agent", "")
        assert there.active_until_ns == back.time_ns
        assert there.measured[0] - base[0] == pytest.approx(0.2, abs=0.03)
        done = client.state_near(back.time_ns + 200 * MS, timeout_s=5)
        assert done.measured == pytest.approx(base, abs=1e-3)
        assert done.gripper_command == pytest.approx(0.05, abs=1e-6)
        assert_no_jump(list(client._following().history))


def test_states_come_at_the_rate_of_the_arm_and_old_ones_do_not_pile_up(running: DriverProcess) -> None:
    with running.client() as client:
        first = client.state()
        time.sleep(2.5)
        last = client.state()
        assert time.monotonic_ns() - last.time_ns < 200 * MS
        elapsed_s = (last.time_ns - first.time_ns) * 1e-9
        assert (last.tick - first.tick) / elapsed_s == pytest.approx(250, rel=0.1)
        with pytest.raises(ConnectionLost, match="within"):
            client.state_near(first.time_ns - 60 * S)


def test_waypoints_renew_the_lease(running: DriverProcess) -> None:
    with running.client() as client:
        client.acquire("agent", 0.4)
        base = client.state().measured
        for _ in range(8):
            client.send_waypoints([away(0, 0.0, 0.2, base=base)])
            time.sleep(0.1)
        assert client.state().holder == "agent"


# ---------------------------------------------------------------- refusals


def test_two_writers_are_kept_apart(running: DriverProcess) -> None:
    with running.client() as one, running.client() as two:
        one.acquire("agent", 10.0)
        for call, reason in [
            (lambda: two.acquire("teleop", 1.0), "held"),
            (lambda: two.renew(), "not-holder"),
            (lambda: two.release(), "not-holder"),
            (lambda: two.send_waypoints([away(0, 0.1, 0.5)]), "not-holder"),
            (lambda: two.place_objects([]), "not-holder"),
            (lambda: two.acquire("teleop", 11.0), "bad-ttl"),
            (lambda: two.acquire("", 1.0), "malformed"),
        ]:
            with pytest.raises(Refused) as caught:
                call()
            assert caught.value.reason == reason
        one.renew()
        one.release()
        assert two.acquire("teleop", 1.0).holder == "teleop"
        until(lambda: two.state().holder == "teleop")


def test_repeated_stale_late_and_impossible_commands_are_refused_and_nothing_moves(running: DriverProcess) -> None:
    with Raw(running.command) as peer, running.client() as watcher:
        lease = peer.answer(encode(AcquireLease("raw", 10.0), 0, 0))
        assert isinstance(lease, Lease)
        before = steady(watcher)
        base = before.governed

        def send(sequence: int, *waypoints: Waypoint, deadline_ns: int = 2**63, token: str = lease.token) -> str:
            said = peer.answer(encode(Waypoints(token, sequence, deadline_ns, waypoints), 0, 0))
            assert isinstance(said, Refusal), said
            assert said.detail
            return said.reason

        good = away(0, 0.1, 0.5, base=base)
        assert send(1, good, token="x" * 32) == "not-holder"
        assert send(5, good, deadline_ns=time.monotonic_ns() - 1) == "late"
        assert send(5, good) == "stale-sequence"
        assert send(4, good) == "stale-sequence"
        assert send(6) == "bad-length"
        assert send(7, msgspec.structs.replace(good, positions=base[:6])) == "bad-length"
        assert send(8, away(0, 0.1, -1.0, base=base)) == "late"
        assert send(9, away(0, 0.1, 0.5, base=base), away(0, 0.2, 0.4, base=base)) == "time-order"
        assert send(10, away(0, 9.0, 9.0, base=base)) == "out-of-limits"
        assert send(11, away(6, 1.0, 0.1, base=base)) == "too-fast"
        assert send(12, away(1, 1.5, 5.0, base=base)) == "out-of-workspace"
        assert send(13, away(0, 0.0, 0.5, gripper_width=1.0, base=base)) == "out-of-limits"
        after = watcher.state()
        assert after.governed == before.governed
        assert after.active_until_ns == before.active_until_ns
        assert isinstance(peer.answer(encode(Stop("done"), 0, 0)), Done)


def test_broken_messages_are_answered_and_cost_the_loop_nothing(running: DriverProcess) -> None:
    waypoints = Waypoints("t", 1, 2**63, (Waypoint(1, (float("nan"),) * 7, float("inf")),))
    broken = [
        b"",
        b"\x00",
        b"\xc1" * 100,
        b"\x91" * 5000,
        os.urandom(1000),
        b'{"json": true}',
        encode(waypoints, 0, 0),
        encode(Lease("a", "b", 1), 0, 0),
        encode(SpecRequest(), 0, 0)[:-3],
        encode(SpecRequest(), 0, 0) + b"x",
        encode(AcquireLease("x", float("nan")), 0, 0),
        encode(AcquireLease("x", float("-inf")), 0, 0),
        encode(SpecRequest(), 0, 0).replace(b"\xa7version\x01", b"\xa7version\x02"),
        b"x" * (MAX_REQUEST_BYTES + 1),
        encode(Waypoints("t" * MAX_REQUEST_BYTES, 1, 1, ()), 0, 0),
    ]
    with running.client() as client, Raw(running.command) as peer, Raw(running.command, zmq.REQ) as plain:
        first = client.state()
        for payload in broken:
            said = peer.answer(payload)
            assert isinstance(said, Refusal), payload[:40]
            assert said.reason == "malformed"
        many = peer.answer(*[b"frame"] * 5000, encode(SpecRequest(), 0, 0))
        assert isinstance(many, Refusal)
        assert isinstance(plain.answer(b"\xff"), Refusal)
        assert isinstance(plain.answer(encode(Reset(), 0, 0)), Done)
        last = client.state()
        assert (last.tick - first.tick) >= 0.9 * (last.time_ns - first.time_ns) * 1e-9 * 250 - 5
        assert last.mode == first.mode


def test_a_message_beyond_all_bounds_loses_its_connection_and_no_one_elses(running: DriverProcess) -> None:
    with running.client() as client, Raw(running.command) as peer:
        assert peer.answer(b"x" * (64 * 1024 * 1024), patience_ms=500) is None
        client.reset()
        assert client.state().mode in ("idle", "holding")


FLOOD = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
junk = [b"\\xc1" * 20000, b"\\x91" * 3000]
end = time.monotonic() + 2
while time.monotonic() < end:
    for payload in junk:
        try:
            socket.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            time.sleep(0.0002)
print("done")
"""


def test_a_flood_of_junk_leaves_the_loop_and_the_holder_alone(running: DriverProcess) -> None:
    with running.client() as client:
        client.acquire("agent", 2.0)
        base = steady(client).governed
        first = client.state()
        flood = subprocess.Popen([sys.executable, "-c", FLOOD, running.command], stdout=subprocess.PIPE)
        try:
            asked = 0
            while flood.poll() is None:
                client.send_waypoints([away(0, 0.0, 0.3, base=base)], deadline_ns=time.monotonic_ns() + S)
                asked += 1
        finally:
            flood.kill()
            flood.communicate()
        last = client.state()
        assert asked > 20
        assert last.holder == "agent"
        assert (last.tick - first.tick) >= 0.9 * (last.time_ns - first.time_ns) * 1e-9 * 250


# ---------------------------------------------------------------- stop and reset


def test_stop_by_anyone_latches_until_reset_and_ends_the_lease(running: DriverProcess) -> None:
    with running.client() as agent, running.client() as person:
        agent.acquire("agent", 10.0)
        base = agent.state().measured
        agent.send_waypoints([away(0, 0.4, 1.0, base=base)])
        time.sleep(0.4)
        person.stop("a person pressed stop")
        stopped = steady(person)
        assert (stopped.mode, stopped.reason, stopped.holder) == ("stopped", "a person pressed stop", "")
        assert stopped.active_until_ns == 0
        assert 0.0 < stopped.measured[0] - base[0] < 0.4
        for call in (agent.renew, lambda: agent.send_waypoints([away(0, 0.1, 1.0)]), lambda: person.acquire("p", 1.0)):
            with pytest.raises(Refused) as caught:
                call()
            assert caught.value.reason == "stopped"
        time.sleep(0.2)
        assert person.state().governed == stopped.governed
        person.stop("again")
        until(lambda: person.state().reason == "again")
        person.reset()
        until(lambda: person.state().mode == "idle")
        with pytest.raises(Refused) as caught:
            agent.send_waypoints([away(0, 0.1, 1.0)])
        assert caught.value.reason == "not-holder"
        agent.acquire("agent", 1.0)
        assert_no_jump(list(person._following().history))


# ---------------------------------------------------------------- the watchdog

HOLDER = """
import sys, time
from robot.client import Client
from robot.messages import Waypoint
client = Client(sys.argv[1], 5.0)
client.acquire("doomed", 0.3)
base = client.state().measured
now = time.monotonic_ns()
positions = (*base[:6], base[6] - 1.5)
client.send_waypoints([Waypoint(now + 1_500_000_000, positions, 0.04)])
print("moving", flush=True)
while True:
    client.renew()
    time.sleep(0.05)
"""


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
            start = watcher.state().measured[6]
            until(lambda: watcher.state().governed_velocity[6] < -0.5)
        finally:
            writer.kill()
            writer.communicate()
        killed_ns = time.monotonic_ns()
        rest = steady(watcher)
        assert rest.mode == "holding"
        assert rest.reason == "the lease of doomed lapsed: nothing came from it in time"
        assert rest.gripper_command < 0.08
        assert start - 1.4 < rest.governed[6] < start
        # The next writer takes over before the arm has been asked to rest, and then while it moves.
        watcher.acquire("next", 2.0)
        base = watcher.state().measured
        watcher.send_waypoints([away(6, 0.5, 0.8, base=base)])
        time.sleep(0.3)
        watcher.release()
        watcher.acquire("and the next", 2.0)
        taken = watcher.send_waypoints([away(6, 0.0, 1.5, base=base)])
        assert taken.clamps == ()
        states.drain()
        seen = list(states.history)
        assert_no_jump(seen)
        lapsed = next(state for state in seen if state.time_ns > killed_ns - 50 * MS and state.mode == "holding")
        assert lapsed.time_ns - killed_ns < (300 + 100) * MS


def test_the_lease_lapses_within_100_ms_of_its_time(running: DriverProcess) -> None:
    with running.client() as client, Subscription(running.state, b"state", JointState, 1000) as states:
        states.wait(5)
        expires_ns = client.acquire("sleeper", 0.05).expires_ns
        until(lambda: client.state().mode == "holding")
        states.drain()
        lapse = next(state.time_ns for state in states.history if state.mode == "holding" and "sleeper" in state.reason)
        assert -4 * MS <= lapse - expires_ns < 100 * MS


# ---------------------------------------------------------------- the scene


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
        assert after.joints == pytest.approx(client.state().measured, abs=1e-3)
        for objects, reason in [
            ([msgspec.structs.replace(pose, name="unicorn")], "unknown-object"),
            ([msgspec.structs.replace(pose, orientation=(0.0, 0.0, 0.0, 0.0))], "malformed"),
            ([msgspec.structs.replace(pose, position=(1e200, 0.0, 0.0))], "out-of-workspace"),
        ]:
            with pytest.raises(Refused) as caught:
                client.place_objects(objects)
            assert caught.value.reason == reason
        assert scenes.latest(5.0, after_ns=time.monotonic_ns()).epoch == before.epoch + 1


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
            until(lambda: client.state().mode == "fault")
            state = client.state()
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


# ---------------------------------------------------------------- beginning and end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_mid_motion_brings_the_arm_to_rest_before_it_is_parked(tmp_path: Path, number: int) -> None:
    with DriverProcess(tmp_path) as process:
        with process.client(1.0) as client, Subscription(process.state, b"state", JointState, 1000) as states:
            client.acquire("agent", 5.0)
            client.send_waypoints([away(6, 1.0, 1.2)])
            until(lambda: client.state().governed_velocity[6] > 0.5)
            process.process.send_signal(number)
            status, out, err = process.end(number)
            states.drain()
            seen = list(states.history)
        assert (status, err) == (130, "")
        assert "% on time" in out
        assert_no_jump(seen)
        assert (seen[-1].mode, seen[-1].reason) == ("stopped", "the driver is shutting down")
        assert max(map(abs, seen[-1].governed_velocity)) == 0.0
        parked, closed = process.diary.read_text().splitlines()[-2:]
        assert parked.startswith("park at ")
        assert float(parked.split()[2]) < 0.02
        assert closed == "close"


def test_a_bounded_run_ends_by_itself(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, duration_s=0.5) as process:
        status, out, err = process.wait()
    assert (status, err) == (0, "")
    assert out.startswith("driver: at rest and parked; loop: ")
    assert process.first_line.startswith("driver: arm scene, command tcp://127.0.0.1:")


def test_a_killed_driver_is_noticed_in_every_call(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process:
        client = process.client(timeout_s=0.5)
        client.acquire("agent", 1.0)
        client.state()
        process.kill()
        time.sleep(0.2)
        for call in (client.state, client.renew, client.spec, lambda: client.stop("stop"), client.state):
            begin = time.monotonic()
            with pytest.raises(ConnectionLost):
                call()
            assert time.monotonic() - begin < 2.0
        begin = time.monotonic()
        client.close()
        assert time.monotonic() - begin < 2.0


def test_a_driver_that_hangs_is_noticed_and_its_late_answers_are_not_mistaken(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process, process.client(timeout_s=0.5) as client:
        os.kill(process.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(ConnectionLost):
                client.acquire("agent", 1.0)
            with pytest.raises(ConnectionLost):
                client.state(0.3)
        finally:
            os.kill(process.process.pid, signal.SIGCONT)
        until(lambda: client.state(5).holder == "")
        client.reset()
        assert client.acquire("agent", 1.0).holder == "agent"


def test_no_driver_is_told_plainly_and_in_time() -> None:
    begin = time.monotonic()
    with pytest.raises(ConnectionLost, match=r"no driver answered at tcp://127\.0\.0\.1:9"):
        Client("tcp://127.0.0.1:9", timeout_s=0.3)
    assert time.monotonic() - begin < 2.0


@pytest.mark.parametrize("which", ["state", "command"])
def test_a_taken_port_ends_the_second_driver_before_it_touches_the_arm(
    running: DriverProcess, tmp_path: Path, which: str
) -> None:
    with DriverProcess(tmp_path, **{which: getattr(running, which)}) as second:
        status, out, err = second.wait()
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "held by another process" in err
    assert not second.diary.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"state": "tcp://0.0.0.0:*"}, "loopback"),
        ({"command": "tcp://*:5552"}, "loopback"),
        ({"arm": "unicorn"}, "unicorn"),
        ({"duration_s": -1.0}, "duration"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(tmp_path: Path, options: dict[str, object], words: str) -> None:
    with DriverProcess(tmp_path, **options) as process:  # type: ignore[arg-type]
        status, out, err = process.wait()
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert words in err
    assert not process.diary.exists()
