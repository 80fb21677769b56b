"""A bound socket that publishes to clients with the role watch, and disconnects clients whose key was revoked."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType

import zmq

from robot.errors import AddressInUse
from robot.wire import sockets
from robot.wire.curve_gate import Gate
from robot.wire.keyring import Role

_CHECK_S = 0.25


class Publisher:
    """Publishes at `address`, with a queue of at most `queue` messages for each slow subscriber; `endpoint` is the
    address actually bound. `gate` guards the socket. Without a `context` it makes its own, and its own gate where other
    machines reach the address.

    Raises `ConfigurationError` and `AddressInUse`, as `sockets.bind` and `sockets.gate_for` do.
    """

    def __init__(
        self,
        address: str,
        queue: int,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        gate: Gate | None = None,
        curve: bool = False,
    ) -> None:
        self._queue = queue
        self._own_context = context is None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context() if context is None else context
        self._gate = gate
        self._socket: zmq.Socket[bytes] | None = None
        try:
            if context is None:
                self._gate = sockets.gate_for(self._context, address, curve=curve)
            self.endpoint = self._bind(address)
        except BaseException:
            self.close()
            raise
        self._watchers = self._gate.watchers() if self._gate is not None else frozenset()
        self._checked = time.monotonic()

    def send(self, topic: bytes, payload: bytes) -> None:
        """Send `payload` on `topic`, without waiting for any subscriber."""
        if self._gate is not None and time.monotonic() - self._checked > _CHECK_S:
            self._checked = time.monotonic()
            self._expel(self._gate)
        if self._socket is not None:
            self._socket.send_multipart([topic, payload], zmq.NOBLOCK)

    def close(self) -> None:
        """Unbind."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._own_context:
            if self._gate is not None:
                self._gate.close()
            self._context.term()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bind(self, address: str) -> str:
        socket = sockets.make(self._context, zmq.PUB, self._queue)
        try:
            endpoint = sockets.bind(socket, address, Role.WATCH, self._gate)
        except BaseException:
            socket.close()
            raise
        self._socket = socket
        return endpoint

    def _expel(self, gate: Gate) -> None:
        """Disconnect all clients when one of them may no longer watch; permitted clients reconnect by themselves.

        ZeroMQ checks a key once, when a client connects, and cannot disconnect a single client.
        """
        watchers = gate.watchers()
        if self._watchers - watchers and self._socket is not None:
            self._socket.close()
            self._socket = None
        self._watchers = watchers
        if self._socket is None:
            with suppress(AddressInUse):  # the old socket may still hold the address; the next check tries again
                self._bind(self.endpoint)
