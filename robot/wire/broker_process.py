"""What all broker processes share: their bounds, how they bind, when they check, and how they end."""

from __future__ import annotations

import ctypes
import resource
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from robot.errors import AddressInUse, ConfigurationError
from robot.system.scheduling import keep_pace
from robot.wire import sockets
from robot.wire.broker import Bound, Task
from robot.wire.channel import Channel, ChannelClosed
from robot.wire.curve_gate import Gate
from robot.wire.keyring import Role
from robot.wire.limits import BIND_S, BROKER_CHECK_S, BROKER_DATA_BYTES, BROKER_RESIDENT_BYTES

OUT_OF_MEMORY = 75
"""The exit status of a broker that others made too large."""
_PAGE = resource.getpagesize()


class Service:
    """A bound socket of `kind` and the `channel` to the process that it serves, for `task`. Frames to the socket have
    at most `max_frame_bytes`. The `gate` is None where only this machine's processes connect without keys."""

    def __init__(self, channel: Channel, task: Task, kind: int, max_frame_bytes: int) -> None:
        self.channel = channel
        self._task = task
        self._kind = kind
        self._max_frame_bytes = max_frame_bytes
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._checked = 0.0
        self._rebound = False
        self.gate: Gate | None = sockets.gate_for(self._context, task.address, curve=task.curve)
        self.endpoint = task.address
        self.socket = self._bound()
        self.poller = zmq.Poller()
        self.poller.register(channel.fileno(), zmq.POLLIN)
        self.poller.register(self.socket, zmq.POLLIN)

    def due(self) -> bool:
        """Return whether it is time to check keys and memory."""
        now = time.monotonic()
        if now - self._checked < BROKER_CHECK_S:
            return False
        self._checked = now
        return True

    def check_memory(self) -> None:
        """Disconnect everyone when their connections and messages use too much memory; who behaves reconnects. Raises
        `SystemExit` when that frees too little: the process that this one serves starts another."""
        if resident_bytes() <= BROKER_RESIDENT_BYTES:
            self._rebound = False
        elif not self._rebound:
            self.rebind()  # what that frees is free by the next check
            self._rebound = True
        else:
            _give_back_memory()
            if resident_bytes() > BROKER_RESIDENT_BYTES:
                raise SystemExit(OUT_OF_MEMORY)

    def rebind(self) -> None:
        """Disconnect everyone, and bind again."""
        self.poller.unregister(self.socket)
        self.socket.close()
        self.socket = self._bound()
        self.poller.register(self.socket, zmq.POLLIN)

    def close(self) -> None:
        """Release the address."""
        self.socket.close()
        if self.gate is not None:
            self.gate.close()
        self._context.term()

    def _bound(self) -> zmq.Socket[bytes]:
        """Return a bound socket. An address that is held is tried again for a while: the process that held it may
        just be ending. Raises `AddressInUse` and `ConfigurationError`."""
        deadline = time.monotonic() + BIND_S
        while True:
            made = sockets.make(self._context, self._kind, self._task.queue)
            try:
                self.endpoint = sockets.bind(made, self.endpoint, Role.WATCH, self._max_frame_bytes, self.gate)
                return made
            except AddressInUse:
                made.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            except BaseException:
                made.close()
                raise


S = TypeVar("S", bound=Service)


def run(make: Callable[[Channel, Task], S], serve: Callable[[S], None]) -> None:
    """Be the broker that the command line describes until the process that it serves has ended."""
    keep_pace(realtime=False)
    _raise_limits()
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    task = msgspec.json.decode(sys.argv[2], type=Task)
    with suppress(ChannelClosed):
        try:
            service = make(channel, task)
        except (AddressInUse, ConfigurationError) as error:
            channel.send([msgspec.json.encode(Bound(error=type(error).__name__, detail=str(error)))])
            return
        try:
            channel.send([msgspec.json.encode(Bound(endpoint=service.endpoint))])
            serve(service)
        finally:
            service.close()


def _raise_limits() -> None:
    """Allow as many connections as the system does, and bound the memory."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = BROKER_DATA_BYTES if most == resource.RLIM_INFINITY else min(most, BROKER_DATA_BYTES)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, most))


def _give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_bytes() -> int:
    """Return the resident memory of this process, bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
