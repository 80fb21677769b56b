"""The newest message of one topic, with the rate of the messages and its age."""

from __future__ import annotations

import time
from collections import deque
from typing import Generic, Protocol, TypeVar

from robot.wire.messages import Published

M = TypeVar("M", bound=Published)

_OVER_S = 2.0


class Source(Protocol[M]):
    """Where messages come from: a subscription, or a driver that is followed."""

    @property
    def address(self) -> str:
        """The address of the process that sends them."""

    @property
    def history(self) -> deque[M]:
        """The newest messages, oldest first."""

    def drain(self) -> int:
        """Receive all waiting messages without blocking, and return how many were accepted."""

    def close(self) -> None:
        """Stop receiving."""


class Feed(Generic[M]):
    """The newest message of `source`, which it closes; for one thread."""

    def __init__(self, source: Source[M]) -> None:
        self._source = source
        self._came: deque[tuple[float, int]] = deque()

    @property
    def address(self) -> str:
        """The address of the process that sends."""
        return self._source.address

    def drain(self) -> list[M]:
        """Return the messages that have come since the last call, without waiting, oldest first; only the last ones
        when there are many.

        Raises the errors of the source's `drain`.
        """
        count = self._source.drain()
        now = time.monotonic()
        if count:
            self._came.append((now, count))
        while self._came and now - self._came[0][0] > _OVER_S:
            self._came.popleft()
        history = self._source.history
        return list(history)[-min(count, len(history)) :] if count else []

    @property
    def newest(self) -> M | None:
        """The newest message, None before the first."""
        history = self._source.history
        return history[-1] if history else None

    @property
    def rate_hz(self) -> float:
        """Messages a second, over the last two seconds."""
        return sum(count for _, count in self._came) / _OVER_S

    @property
    def age_s(self) -> float:
        """Age of the newest message, s; infinite before the first."""
        newest = self.newest
        return max(0.0, (time.monotonic_ns() - newest.time_ns) * 1e-9) if newest is not None else float("inf")

    def close(self) -> None:
        """Stop following."""
        self._source.close()
