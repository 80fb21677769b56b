"""The driver's two sockets: one publishes states, the other answers requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import zmq

from robot.driver.inbox import Inbox
from robot.driver.requests import Handlers, RequestServer
from robot.flight_log.records import Asked
from robot.wire import sockets
from robot.wire.messages import Body, encode
from robot.wire.publisher import Publisher

_PUBLISH_QUEUE = 250


class Server:
    """The driver's two bound sockets. `state_endpoint` and `command_endpoint` are the addresses actually bound.
    `requests` answers with `handlers`; it passes requests for the flight log to `note`, with the lease holder that
    `holder` returns.

    Other machines need keys to connect; with `curve`, this machine's clients need keys too. Raises `ConfigurationError`
    for an invalid address or missing keys, and `AddressInUse` when another process holds an address.
    """

    def __init__(
        self,
        state_address: str,
        command_address: str,
        curve: bool,
        handlers: Handlers,
        note: Callable[[Asked], None],
        holder: Callable[[], str],
    ) -> None:
        self._sent = 0
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        with ExitStack() as undone:
            undone.callback(context.term)
            gate = sockets.gate_for(context, state_address, command_address, curve=curve)
            if gate is not None:
                undone.callback(gate.close)
            self._publisher = Publisher(state_address, _PUBLISH_QUEUE, context, gate)
            undone.callback(self._publisher.close)
            inbox = Inbox(context, command_address, gate)
            undone.callback(inbox.close)
            self._open = undone.pop_all()
        self.state_endpoint, self.command_endpoint = self._publisher.endpoint, inbox.endpoint
        self.requests = RequestServer(inbox, gate, handlers, self._encode, note, holder)

    def publish(self, topic: bytes, body: Body) -> None:
        """Send `body` to all subscribers of `topic`, without waiting."""
        self._publisher.send(topic, self._encode(body))

    def close(self) -> None:
        """Release both addresses."""
        self._open.close()

    def _encode(self, body: Body) -> bytes:
        self._sent += 1
        return encode(body, self._sent, time.monotonic_ns())
