"""Starts the process that binds a socket for this one, and starts it again should it end.

Every connection to worldarm reaches a broker: a small process that owns the socket, bounds what comes in, and passes
whole messages on. ZeroMQ handles connections, subscriptions and the parts of unfinished messages inside the process
that owns the socket, in memory that it does not bound; so that process must not be the one that moves an arm.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType

import msgspec

from robot.errors import AddressInUse, ConfigurationError, ConnectionLost
from robot.wire.channel import Channel, ChannelClosed
from robot.wire.limits import BROKER_END_S, BROKER_PAUSE_S, BROKER_START_S

_ERRORS: dict[str, type[Exception]] = {each.__name__: each for each in (AddressInUse, ConfigurationError)}


class Task(msgspec.Struct, frozen=True):
    """What a broker is to do: bind `address`, with keys where `curve` or the address requires them, with a `queue` of
    messages for each peer."""

    address: str
    queue: int
    curve: bool = False


class Bound(msgspec.Struct, frozen=True):
    """A broker's first message: its `endpoint`, or the `error` (a class of `robot.errors`) with its `detail`."""

    endpoint: str = ""
    error: str = ""
    detail: str = ""


class Broker:
    """A broker process that runs `module` for `task`. `endpoint` is the address actually bound.

    A broker that ends by itself is started again, and `told` receives a sentence about it, in a thread. Raises
    `ConfigurationError` and `AddressInUse` as `sockets.bind` does, and `ConnectionLost` when no broker starts.
    """

    def __init__(self, module: str, task: Task, told: Callable[[str], None] | None = None) -> None:
        self._module = module
        self._told = told if told is not None else _print
        self._closing = threading.Event()
        self._process, self._channel, self.endpoint = _start(module, task)
        self._task = msgspec.structs.replace(task, address=self.endpoint)
        self._watcher = threading.Thread(target=self._watch, name=f"watch {module}", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """The process id of the present broker."""
        return self._process.pid

    def send(self, parts: Sequence[bytes], patience_s: float = 0.0) -> bool:
        """Pass a message on; return whether there was room within `patience_s`, and a broker."""
        try:
            return self._channel.send(parts, patience_s)
        except ChannelClosed:
            return False

    def receive(self) -> list[bytes] | None:
        """Return the next message that the broker passes on, or None when there is none now."""
        try:
            return self._channel.receive()
        except ChannelClosed:
            return None

    def wait(self, seconds: float) -> bool:
        """Wait for a message, as `Channel.wait`."""
        return self._channel.wait(seconds)

    def close(self) -> None:
        """End the broker; its address is free afterwards."""
        self._closing.set()
        self._channel.close()
        _end(self._process)
        self._watcher.join(BROKER_START_S)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _watch(self) -> None:
        """Start the broker again whenever it has ended."""
        while True:
            status = self._process.wait()
            if self._closing.wait(BROKER_PAUSE_S):
                return
            what = f"the process that serves {self.endpoint} ended by itself (status {status})"
            try:
                process, channel, _ = _start(self._module, self._task)
            except (ConfigurationError, AddressInUse, ConnectionLost) as error:
                self._told(f"{what} and cannot be started again: {error}; trying further")
                continue
            # The old channel closes with its last user: another thread may be in the middle of using it.
            self._channel, self._process = channel, process
            self._told(f"{what}; it was started again, and its clients reconnect by themselves")
            if self._closing.is_set():
                channel.close()
                _end(process)
                return


def _start(module: str, task: Task) -> tuple[subprocess.Popen[bytes], Channel, str]:
    """Start `module` as a process; return it, the channel to it, and the endpoint that it bound."""
    channel, there = Channel.pair()
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(there.fileno()), msgspec.json.encode(task).decode()],
            pass_fds=(there.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the process that the broker serves
        )
    try:
        bound = _await_bound(channel)
    except BaseException:
        channel.close()
        _end(process)
        raise
    if bound.error:
        channel.close()
        _end(process)
        raise _ERRORS[bound.error](bound.detail)
    return process, channel, bound.endpoint


def _await_bound(channel: Channel) -> Bound:
    with suppress(ChannelClosed):
        if channel.wait(BROKER_START_S) and (first := channel.receive()) is not None:
            return msgspec.json.decode(first[0], type=Bound)
    raise ConnectionLost(
        f"the process that binds the address did not start within {BROKER_START_S:g} s; what it printed says why"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a broker whose channel is closed; kill it when it takes too long."""
    try:
        process.wait(BROKER_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _print(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
