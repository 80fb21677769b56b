"""Publishing what the agent thinks, so that viewers and recorders see it without torch and without being known."""

from __future__ import annotations

import time
from types import TracebackType

from robot.wire import topics
from robot.wire.addresses import DECISIONS
from robot.wire.messages import DecisionReport, encode
from robot.wire.publisher import Publisher

# A viewer that does not keep up misses decisions; it never makes the agent wait.
_QUEUE = 8


class DecisionPublisher:
    """Binds `address` and publishes on the topic `decision`; `endpoint` is what is really bound.

    Raises what `Publisher` raises.
    """

    def __init__(self, address: str = DECISIONS) -> None:
        self._sent = 0
        self._publisher = Publisher(address, _QUEUE)
        self.endpoint = self._publisher.endpoint

    def publish(self, decision: DecisionReport) -> None:
        """Send one decision to whoever listens, without waiting for anyone."""
        self._sent += 1
        self._publisher.send(topics.DECISION, encode(decision, self._sent, time.monotonic_ns()))

    def close(self) -> None:
        """Unbind."""
        self._publisher.close()

    def __enter__(self) -> DecisionPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
