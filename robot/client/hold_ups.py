"""Goes on after a driver was held up. Such a driver drops its waypoints and ends the lease; its client may acquire the
lease again and plan anew from where the arm rests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from robot.errors import Refused

T = TypeVar("T")

MOST, WITHIN_S = 10, 30.0
"""A driver that was held up more often within this many seconds cannot keep to any plan."""
TRIES = 5
"""How often one motion is begun."""


class HoldUps:
    """Counts how often a driver was held up; `count` is the number so far."""

    def __init__(self) -> None:
        self._times_ns: list[int] = []

    @property
    def count(self) -> int:
        """How often the driver was held up."""
        return len(self._times_ns)

    def bear(self, refusal: Refused) -> None:
        """Count one. Raises `refusal` where it has another reason, and when the driver was held up too often."""
        now_ns = time.monotonic_ns()
        recent = sum(now_ns - each < WITHIN_S * 1e9 for each in self._times_ns)
        if refusal.reason != "held-up" or recent >= MOST:
            raise refusal
        self._times_ns.append(now_ns)


def again_when_held_up(motion: Callable[[], T]) -> T:
    """Do `motion`, which acquires the lease itself and plans from where the arm is, and do it again whenever the driver
    was held up meanwhile, `TRIES` times at most; return what it returns. Raises what it raises."""
    for _ in range(TRIES - 1):
        try:
            return motion()
        except Refused as refusal:
            if refusal.reason != "held-up":
                raise
    return motion()
