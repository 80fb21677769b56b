from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import zmq

from robot.errors import ConnectionLost
from robot.wire import sockets
from robot.wire.keyring import Role
from robot.wire.limits import MAX_MESSAGE_BYTES
from robot.wire.messages import JointState, encode
from robot.wire.subscription import QUEUE, Subscription

SEVEN = (0.0,) * 7


@contextmanager
def publisher(a_second: int) -> Iterator[str]:
    """Publish so many states a second, a few at a time, from a thread; its address."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sender = sockets.make(context, zmq.PUB, 250)
    over = threading.Event()

    def publish() -> None:
        tick = 0
        while not over.wait(2 / a_second):
            for _ in range(2):
                now = time.monotonic_ns()
                state = JointState(now, tick, "", SEVEN, SEVEN, SEVEN, SEVEN, SEVEN, (), 0.0, 0.0, (), "", 0, 0, "")
                sender.send_multipart([b"state", encode(state, tick, now)], zmq.NOBLOCK)
                tick += 1

    thread = threading.Thread(target=publish)
    address = sockets.bind(sender, "tcp://127.0.0.1:*", Role.WATCH, MAX_MESSAGE_BYTES)
    thread.start()
    try:
        yield address
    finally:
        over.set()
        thread.join()
        sender.close()
        context.term()


class Relay:
    """Passes bytes on between a subscriber and a publisher, until told to freeze the connections there are."""

    def __init__(self, address: str) -> None:
        self._onward = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def freeze(self) -> None:
        """Pass nothing on any more, as a connection that has overflowed; new ones work."""
        self._frozen.set()
        self._frozen = threading.Event()

    def close(self) -> None:
        for each in (self._door, *self._sockets):
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._door.accept()
                far = socket.create_connection(self._onward)
                self._sockets += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other, self._frozen), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket, frozen: threading.Event) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if frozen.is_set():
                    return
                other.sendall(data)


def test_one_that_nobody_looked_at_for_long_is_connected_anew_when_it_stays_silent() -> None:
    with (
        publisher(250) as address,
        closing(Relay(address)) as relay,
        Subscription(relay.address, b"state", JointState) as states,
    ):
        states.wait(5.0)
        for _ in range(2):
            relay.freeze()
            time.sleep(1.1)
            asked_ns = time.monotonic_ns()
            states.wait_for(
                lambda asked_ns=asked_ns: states.history[-1].time_ns > asked_ns, 1.0, "state from after that"
            )


def test_what_was_missed_is_at_least_a_queue_long_and_in_order() -> None:
    with (
        publisher(1000) as address,
        Subscription(address, b"state", JointState, keep=10 * QUEUE) as states,
        Subscription(address, b"state", JointState) as newest,
    ):
        states.wait(5.0)
        last_seen = states.history[-1].tick
        newest.wait_for(lambda: bool(newest.history) and newest.history[-1].tick > last_seen + 300, 20.0, "state")
        states.drain()
        ticks = [state.tick for state in states.history]
        assert len(ticks) > 200 and ticks == list(range(ticks[0], ticks[0] + len(ticks)))


def test_silence_is_told_in_time() -> None:
    with Subscription("tcp://127.0.0.1:1", b"state", JointState) as states:
        time.sleep(1.1)
        began = time.monotonic()
        with pytest.raises(ConnectionLost, match=r"nothing on the topic state from tcp://127\.0\.0\.1:1 within 0\.3 s"):
            states.wait(0.3)
        with pytest.raises(ConnectionLost, match=r"sent no picture within 0\.3 s; is it running\?"):
            states.wait_for(lambda: False, 0.3, "picture")
        assert 0.55 < time.monotonic() - began < 3.0


WAITING = """
import sys
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription

with Subscription(sys.argv[1], b"state", JointState) as states:
    print("waiting", flush=True)
    states.wait(1.0)
    print("it came", flush=True)
"""


@pytest.mark.real_time
def test_while_it_is_held_up_itself_it_does_not_take_the_other_for_gone() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sender = sockets.make(context, zmq.PUB, 250)
    address = sockets.bind(sender, "tcp://127.0.0.1:*", Role.WATCH, MAX_MESSAGE_BYTES)
    with subprocess.Popen([sys.executable, "-c", WAITING, address], stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        try:
            assert waiting.stdout.readline() == "waiting\n"
            waiting.send_signal(signal.SIGSTOP)
            time.sleep(1.5)
            waiting.send_signal(signal.SIGCONT)
            time.sleep(0.2)
            state = JointState(time.monotonic_ns(), 0, "", *(SEVEN,) * 5, (), 0.0, 0.0, (), "", 0, 0, "")
            sender.send_multipart([b"state", encode(state, 0, state.time_ns)])
            assert waiting.stdout.readline() == "it came\n"
        finally:
            waiting.kill()
            sender.close()
            context.term()
