"""Publishing what the agent thinks, so that viewers and recorders see it without torch and without being known."""

from __future__ import annotations

import time
from types import TracebackType

from robot.wire import topics
from robot.wire.addresses import THOUGHTS
from robot.wire.messages import Thought, encode
from robot.wire.publisher import Publisher

# A viewer that does not keep up misses thoughts; it never makes the agent wait.
_QUEUE = 8


class ThoughtPublisher:
    """Binds `address` and publishes on the topic `thought`; `endpoint` is what is really bound.

    Raises what `Publisher` raises.
    """

    def __init__(self, address: str = THOUGHTS) -> None:
        self._sent = 0
        self._publisher = Publisher(address, _QUEUE)
        self.endpoint = self._publisher.endpoint

    def publish(self, thought: Thought) -> None:
        """Send one thought to whoever listens, without waiting for anyone."""
        self._sent += 1
        self._publisher.send(topics.DECISION, encode(thought, self._sent, time.monotonic_ns()))

    def close(self) -> None:
        """Unbind."""
        self._publisher.close()

    def __enter__(self) -> ThoughtPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
