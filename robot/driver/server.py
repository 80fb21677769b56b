"""The driver's two sockets: one publishes states, the other answers requests. Each is in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

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

    Other machines need keys to connect, and then this machine's clients need keys too, as with `curve`. Raises
    `ConfigurationError` for an invalid address or missing keys, `AddressInUse` when another process holds an address,
    and `ConnectionLost` when a socket's process does not start.
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
        # Both sockets need keys where one of them does: who watches could otherwise be anyone.
        curve = sockets.needs_keys(state_address, command_address, curve=curve)
        with ExitStack() as undone:
            self._publisher = undone.enter_context(Publisher(state_address, _PUBLISH_QUEUE, curve))
            self._inbox = Inbox(command_address, curve)
            undone.callback(self._inbox.close)
            self._open = undone.pop_all()
        self.state_endpoint, self.command_endpoint = self._publisher.endpoint, self._inbox.endpoint
        self.requests = RequestServer(self._inbox, handlers, self._encode, note, holder)

    @property
    def commanders(self) -> frozenset[str] | None:
        """The keys that may command at present; None where no keys are needed."""
        return self._inbox.commanders

    def publish(self, topic: bytes, body: Body) -> None:
        """Send `body` to all subscribers of `topic`, without waiting."""
        self._publisher.send(topic, self._encode(body))

    def close(self) -> None:
        """Release both addresses."""
        self._open.close()

    def _encode(self, body: Body) -> bytes:
        self._sent += 1
        return encode(body, self._sent, time.monotonic_ns())
