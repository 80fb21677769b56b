"""The newest message of one topic, with the rate of the messages and its age."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from robot.wire.clock_offset import ClockOffset
from robot.wire.messages import Published
from robot.wire.subscription import Subscription

M = TypeVar("M", bound=Published)

_OVER_S = 2.0


class Feed(Generic[M]):
    """The newest message of type `kind` on `topic` at `address`, for one thread. Raises as `Subscription`."""

    def __init__(
        self,
        address: str,
        topic: bytes,
        kind: type[M],
        keep: int = 1,
        clock: ClockOffset | None = None,
        admits: Callable[[M], bool] | None = None,
    ) -> None:
        self.address = address
        self._subscription = Subscription(address, topic, kind, keep, clock, admits)
        self._came: deque[tuple[float, int]] = deque()

    def drain(self) -> list[M]:
        """Return the messages that have come since the last call, without waiting, oldest first; only the last ones
        when there are many.

        Raises `WireError` when the publisher uses another protocol.
        """
        count = self._subscription.drain()
        now = time.monotonic()
        if count:
            self._came.append((now, count))
        while self._came and now - self._came[0][0] > _OVER_S:
            self._came.popleft()
        history = self._subscription.history
        return list(history)[-min(count, len(history)) :] if count else []

    @property
    def newest(self) -> M | None:
        """The newest message, None before the first."""
        history = self._subscription.history
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
        self._subscription.close()
