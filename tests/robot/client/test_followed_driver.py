"""Who watches a driver notices its end, forgets it, and finds it when it is back; another arm is never watched."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import zmq

from robot.arm.interface import ArmSpec
from robot.client.followed_driver import FollowedDriver
from robot.errors import ConnectionLost, OtherArm
from robot.wire import sockets
from robot.wire.keyring import Role
from robot.wire.limits import MAX_MESSAGE_BYTES
from robot.wire.messages import JointState, Spec, encode
from robot.wire.topics import STATE
from tests.robot.driver.checks import SPEC
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options

PATIENCE_S = 60.0


class Told(list[str]):
    """What a person was told, line by line."""

    def __call__(self, line: str) -> None:
        self.append(line)


def test_a_driver_that_ends_is_forgotten_and_found_where_it_publishes_next(tmp_path: Path) -> None:
    told = Told()
    with DriverProcess(tmp_path) as first, FollowedDriver(first.command, 64, PATIENCE_S, told) as driver:
        driver.wait(PATIENCE_S)
        assert driver.history[-1].mode == "idle" and (driver.gone, told) == ("", [])
        first.kill()
        until(lambda: driver.drain() == 0 and driver.gone)
        assert not driver.history and driver.age_s > 0.9
        assert told == [f"the driver at {first.command} is gone: no state for 1 s; waiting until it is there"]
        with DriverProcess(tmp_path, command=first.command) as second:
            assert second.state != first.state
            driver.wait(PATIENCE_S)
            assert driver.state_address == second.state and driver.restarts == 1 and driver.gone == ""
            until(lambda: driver.drain() and driver.age_s < 0.5)
    assert told[1:] == [f"the driver at {first.command} is there again"]


def test_a_driver_that_stood_still_is_there_again_afterwards(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as process, FollowedDriver(process.command, 8, PATIENCE_S) as driver:
        driver.wait(PATIENCE_S)
        process.process.send_signal(signal.SIGSTOP)
        until(lambda: driver.drain() == 0 and driver.gone)
        process.process.send_signal(signal.SIGCONT)
        driver.wait(PATIENCE_S)
        assert driver.gone == "" and driver.restarts == 1


def test_a_driver_that_came_back_with_another_arm_is_refused_by_name(tmp_path: Path) -> None:
    with DriverProcess(tmp_path) as first, FollowedDriver(first.command, 8, PATIENCE_S) as driver:
        driver.wait(PATIENCE_S)
        first.kill()
        with DriverProcess(tmp_path, Options(named="crane"), command=first.command, state=first.state):
            with pytest.raises(OtherArm, match="now runs the arm 'crane' with 7 joints, and this began with 'panda'"):
                while True:  # the last states of the first driver may still be on their way
                    driver.wait(PATIENCE_S)
            assert not driver.history, "no state of the other arm counts"


def test_nobody_there_at_the_beginning_is_an_error() -> None:
    with pytest.raises(ConnectionLost, match="no driver answered"):
        FollowedDriver("tcp://127.0.0.1:9", timeout_s=0.2)


class Scripted:
    """A driver in the test's hand: it says which arm it runs when asked, and publishes when told to."""

    def __init__(self) -> None:
        self.arm: ArmSpec | None = SPEC
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._states = sockets.make(self._context, zmq.XPUB, 100)
        self.state = sockets.bind(self._states, "tcp://127.0.0.1:*", Role.WATCH, MAX_MESSAGE_BYTES)
        self._requests = sockets.make(self._context, zmq.ROUTER, 100)
        self.command = sockets.bind(self._requests, "tcp://127.0.0.1:*", Role.WATCH, MAX_MESSAGE_BYTES)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def publish(self, tick: int, joints: int = 7) -> None:
        some = (0.0,) * joints
        state = JointState(
            *(time.monotonic_ns(), tick, "idle", some, some, some, some, some, ()),
            *(0.0, 0.0, (), "", 0, time.monotonic_ns(), ""),
        )
        self._states.send_multipart([STATE, encode(state, tick, time.monotonic_ns())])

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._states.close()
        self._requests.close()
        self._context.term()

    def _answer(self) -> None:
        while not self._over.is_set():
            if self._requests.poll(20):
                sender, number, _ = self._requests.recv_multipart()
                if self.arm is not None:
                    answer = encode(Spec(self.arm, self.state, False), 0, time.monotonic_ns())
                    self._requests.send_multipart([sender, number, answer])


@contextmanager
def scripted() -> Iterator[Scripted]:
    driver = Scripted()
    try:
        yield driver
    finally:
        driver.close()


@pytest.mark.parametrize(("tick", "joints"), [(3, 7), (200, 6)])
def test_states_of_another_process_count_only_once_it_has_said_who_it_is(tick: int, joints: int) -> None:
    """A driver may be started again so quickly that no silence shows it."""
    told = Told()
    with scripted() as there, FollowedDriver(there.command, 8, PATIENCE_S, told) as driver:

        def comes(tick: int, joints: int = 7) -> bool:
            there.publish(tick, joints)
            return driver.drain() > 0

        until(lambda: comes(100))
        there.arm = None
        until(lambda: not comes(tick, joints) and driver.gone)
        assert not driver.history and driver.restarts == 1
        assert "was started again" in told[0] and len(told) == 1
        assert not any(comes(tick + 1) for _ in range(20)), "it has not said who it is"
        there.arm = SPEC
        until(lambda: comes(tick + 2))
        assert driver.restarts == 1 and len(told) == 2
        there.arm = msgspec.structs.replace(SPEC, name="crane")
        with pytest.raises(OtherArm):
            until(lambda: comes(1) and False)
