"""Publishing what the agent thinks, so that viewers and recorders see it without torch and without being known."""

from __future__ import annotations

import time
from types import TracebackType

import zmq

from robot import sockets
from robot.addresses import THOUGHTS
from robot.messages import Thought, encode

TOPIC = b"thought"

# A viewer that does not keep up misses thoughts; it never makes the agent wait.
_QUEUE = 8


class ThoughtPublisher:
    """Binds `address` and publishes on the topic `thought`; `endpoint` is what is really bound.

    Raises `ConfigurationError` for an address that is not loopback, `AddressInUse` when another process holds it.
    """

    def __init__(self, address: str = THOUGHTS) -> None:
        self._sent = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = sockets.make(self._context, zmq.PUB, _QUEUE)
        try:
            self.endpoint = sockets.bind(self._socket, address)
        except BaseException:
            self.close()
            raise

    def publish(self, thought: Thought) -> None:
        """Send one thought to whoever listens, without waiting for anyone."""
        self._sent += 1
        self._socket.send_multipart([TOPIC, encode(thought, self._sent, time.monotonic_ns())], zmq.NOBLOCK)

    def close(self) -> None:
        """Unbind."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> ThoughtPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
