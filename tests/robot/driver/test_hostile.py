"""Nobody who can connect stops a driver, stalls it, or uses up its memory; and what befalls its machine or its log does
not make the arm run."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from robot.benchmark.processes import resident_bytes
from robot.benchmark.raw_peer import RawPeer
from robot.client.client import Client
from robot.errors import Refused
from robot.flight_log.records import Changed, read_flight_log
from robot.wire.camera_spec import CameraSpec
from robot.wire.limits import BROKER_DATA_BYTES, HANDSHAKE_S, MAX_SUBSCRIPTIONS, SILENCE_S
from robot.wire.messages import AcquireLease, JointState, Lease, Refusal, Stop, Waypoint, encode
from robot.wire.subscription import Subscription
from tests.commands import worldarm
from tests.robot.driver.checks import Raw, away, move, now, steady
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options

MIB = 2**20


def brokers(driver: DriverProcess) -> list[int]:
    """The processes that own the driver's sockets."""
    threads = Path(f"/proc/{driver.process.pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def go(client: Client, goal: Waypoint) -> None:
    """Move to the goal's joints; a machine that is too busy ends the lease, and then it is acquired again."""

    def there() -> bool:
        if abs(now(client).governed[6] - goal.positions[6]) < 1e-6:
            return True
        if not now(client).holder:
            client.acquire("mover", 10.0)
            move(client, msgspec.structs.replace(goal, time_ns=time.monotonic_ns() + 1_500_000_000))
        return False

    until(there)


class Watch:
    """The most memory that a driver, and any one of its brokers, has had so far."""

    def __init__(self, driver: DriverProcess) -> None:
        self._driver = driver
        self._ended = threading.Event()
        self.own = self.brokers = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            self.own = max(self.own, _resident(self._driver.process.pid))
            self.brokers = max(self.brokers, *(_resident(each) for each in brokers(self._driver)), 0)

    def end(self) -> Watch:
        self._ended.set()
        self._thread.join()
        return self


def _resident(pid: int) -> int:
    try:
        return resident_bytes(pid)
    except OSError:
        return 0


@pytest.fixture
def watch(running: DriverProcess) -> Iterator[Watch]:
    watch = Watch(running)
    yield watch
    watch.end()


def assert_alive(driver: DriverProcess) -> None:
    """Assert that the driver runs, publishes and answers, once whoever was disconnected is back."""

    def answers() -> bool:
        with driver.client(30.0) as client:
            return now(client).tick > 0

    until(answers)
    assert driver.process.poll() is None


# ---------------------------------------------------------------- malformed messages


def _nested(depth: int) -> bytes:
    camera = CameraSpec("front", 32, 32, (1.0, 1.0), (1.0, 1.0))
    built = msgspec.to_builtins(camera)
    for _ in range(depth):
        built = {**built, "below": [built]}
    body = {"type": "Frame", "time_ns": 1, "index": 1, "camera": built, "encoding": "rgb8", "data": b""}
    return msgspec.msgpack.encode({"version": 1, "sequence": 1, "sent_ns": 1, "body": body})


@pytest.mark.parametrize(
    "payload",
    [
        _nested(120),
        b"\x91" * 16_000 + b"\x01",
        b"\x81\xa1a" * 5_000 + b"\x01",
        encode(Refusal("late", "x"), 1, 1),
        b"\xc1" * 16_000,
    ],
    ids=["cameras", "arrays", "maps", "no request", "nothing"],
)
def test_no_depth_of_a_value_ends_it(running: DriverProcess, payload: bytes) -> None:
    with Raw(running.command) as raw:
        for _ in range(3):
            answer = raw.answer(b"n", payload)
            assert isinstance(answer, Refusal) and answer.reason == "malformed"
    assert_alive(running)


def test_control_characters_reach_nobodys_terminal(running: DriverProcess) -> None:
    with Raw(running.command) as raw, running.client() as client:
        assert isinstance(raw.answer(b"n", encode(AcquireLease("\x1b[2Jme\n", 5.0), 1, 1)), Lease)
        until(lambda: now(client).holder == "\\x1b[2Jme\\n")
        raw.answer(b"n", encode(Stop("\x1b]0;owned\x07\u202e"), 1, 1))
        until(lambda: now(client).reason == "\\x1b]0;owned\\x07\\u202e")
        # By hand, as no client of ours would encode it.
        raw.answer(b"n", encode(Stop("because"), 1, 1).replace(b"because", b"a\x1b[31mb"))
        until(lambda: now(client).reason == "a\\x1b[31mb")


# ---------------------------------------------------------------- watchers


@pytest.mark.parametrize("size", [10 * MIB, 1024])
def test_a_long_subscription_is_hung_up_on(running: DriverProcess, watch: Watch, size: int) -> None:
    with RawPeer(running.state, b"SUB") as peer:
        peer.frame(b"\x01" + b"x" * size)
        assert peer.hung_up(30.0)
    assert watch.end().brokers < 100 * MIB
    assert_alive(running)


def _subscribed(running: DriverProcess) -> int:
    """Subscribe again and again until hung up on; return how often."""
    with RawPeer(running.state, b"SUB") as peer:
        number = 0
        while number < 200_000 and peer.frame(b"\x01" + number.to_bytes(4, "big")):
            number += 1
        assert peer.hung_up(30.0)
    return number


def test_very_many_subscriptions_disconnect_everyone_and_who_behaves_is_back(
    running: DriverProcess, watch: Watch
) -> None:
    with Subscription(running.state, b"state", JointState) as states:
        states.wait(30.0)
        # The first to connect after another attack may meet the sockets while they are bound again.
        until(lambda: _subscribed(running) > MAX_SUBSCRIPTIONS)
        states.history.clear()
        states.wait(30.0)
    assert watch.end().own < 400 * MIB and watch.brokers < BROKER_DATA_BYTES
    assert_alive(running)


@pytest.mark.parametrize("which", ["state", "command"])
def test_a_message_without_end_is_cut_off_and_takes_bounded_memory(
    running: DriverProcess, watch: Watch, which: str
) -> None:
    address, kind = (running.state, b"SUB") if which == "state" else (running.command, b"DEALER")
    piece = b"x" * (100 if which == "state" else 60_000)
    sent = 0
    with RawPeer(address, kind) as peer:
        while sent < 1024 * MIB and peer.frame(piece, more=True):
            sent += len(piece)
    watch.end()
    assert sent < 1024 * MIB
    assert watch.own < 400 * MIB and watch.brokers < 600 * MIB
    assert_alive(running)


@pytest.mark.parametrize("size", [2**20 + 1, 2**40, 2**63])
def test_a_frame_that_is_announced_too_large_is_hung_up_on(running: DriverProcess, size: int) -> None:
    for address, kind in ((running.state, b"SUB"), (running.command, b"DEALER")):
        with RawPeer(address, kind) as peer:
            peer.announce(size)
            assert peer.hung_up(30.0)
    assert_alive(running)


def test_a_silent_peer_is_hung_up_on(running: DriverProcess) -> None:
    with RawPeer(running.command) as unknown, RawPeer(running.command, b"DEALER") as introduced:
        assert unknown.hung_up(10 * HANDSHAKE_S)
        assert introduced.hung_up(10 * SILENCE_S)


def test_a_broker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as driver:
        for pid in brokers(driver):
            os.kill(pid, signal.SIGKILL)
        assert_alive(driver)
        assert len(brokers(driver)) == 2
        assert driver.end()[2].count("started again") == 2


# ---------------------------------------------------------------- stop


def test_stop_gets_through_while_connections_use_up_what_there_is(running: DriverProcess) -> None:
    peers = []
    try:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(min(3000, most // 2)):
            peers.append(RawPeer(running.command))
        stopped = worldarm("stop", "--command-address", running.command, "--reason", "enough")
        assert stopped.returncode == 0, stopped.stderr
    finally:
        for peer in peers:
            peer.close()
    with running.client(60.0) as client:
        until(lambda: (now(client).mode, now(client).reason) == ("stopped", "enough"))


@pytest.mark.parametrize("how", ["command", "signal"])
def test_stop_shares_nothing_with_the_network(running: DriverProcess, how: str) -> None:
    with running.client() as client:
        client.acquire("mover", 10.0)
        move(client, away(6, 0.5, 2.0))
        until(lambda: any(now(client).governed_velocity))
        for pid in brokers(running):
            os.kill(pid, signal.SIGSTOP)
        if how == "command":
            assert worldarm("stop", "--command-address", running.command).returncode == 0
        else:
            running.process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
        for pid in brokers(running):
            os.kill(pid, signal.SIGCONT)
        until(lambda: now(client).mode == "stopped")
        assert "stopped by" in now(client).reason
        client._token = ""


def test_stop_does_not_claim_to_have_stopped_an_arm_in_a_fault(tmp_path: Path) -> None:
    with DriverProcess(tmp_path, Options(read_fails_after=10)) as driver, driver.client() as client:
        until(lambda: now(client).mode == "fault")
        result = worldarm("stop", "--command-address", driver.command)
        assert (result.returncode, result.stdout) == (1, "") and "no longer commands the arm" in result.stderr
        assert now(client).mode == "fault"


# ---------------------------------------------------------------- stalls


def _freeze(process: DriverProcess, seconds: float) -> None:
    process.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("seconds", [0.3, 1.5])
def test_after_a_freeze_it_comes_to_rest_and_moves_again_on_a_new_command_alone(
    running: DriverProcess, seconds: float
) -> None:
    with running.client() as client, Subscription(running.state, b"state", JointState, 5000) as states:
        base = steady(client).governed
        client.acquire("mover", 10.0)
        move(client, *(away(6, 0.25 * s, s + 0.1, base=base) for s in (0.0, 1.0, 2.0, 3.0, 4.0)))
        until(lambda: now(client).governed_velocity[6] > 0.24)
        _freeze(running, seconds)
        until(lambda: now(client).mode == "holding")
        rest = steady(client)
        assert "stood still" in rest.reason and rest.holder == ""
        states.drain()
        assert max(abs(state.governed_velocity[6]) for state in states.history) < 0.25 * 1.03
        with pytest.raises(Refused, match="stood still"):
            move(client, away(6, 0.5, 1.0))
        go(client, away(6, 0.1, 2.0, base=rest.governed))


def test_at_rest_a_freeze_changes_nothing(running: DriverProcess) -> None:
    with running.client() as client:
        before = steady(client)
        _freeze(running, 0.5)
        tick = now(client).tick
        until(lambda: now(client).tick > tick + 5)
        assert now(client).mode == before.mode and now(client).governed == before.governed


# ---------------------------------------------------------------- the flight log


def _cut(folder: Path) -> None:
    for path in folder.glob("segment-*"):
        os.truncate(path, 100)


def _delete(folder: Path) -> None:
    for path in folder.glob("segment-*"):
        path.unlink()


@pytest.mark.parametrize("harm", [_cut, _delete])
def test_a_log_that_is_cut_short_does_not_end_the_arms_motion(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = tmp_path / "black-box"
    with DriverProcess(tmp_path) as driver, driver.client() as client:
        client.acquire("mover", 10.0)
        goal = away(6, 0.5, 1.5)
        move(client, goal)
        until(lambda: any(now(client).governed_velocity))
        harm(folder)
        go(client, goal)
        client.stop("afterwards")
        until(lambda: now(client).mode == "stopped")
        status, _, err = driver.end()
    assert status == 130 and "cut short by another program" in err
    changes = [each for each in read_flight_log(folder) if isinstance(each, Changed)]
    assert "afterwards" in [each.reason for each in changes]
