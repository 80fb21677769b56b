"""Goes on after a driver was held up. Such a driver drops its waypoints and ends the lease; its client may acquire the
lease again and plan anew from where the arm rests."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from robot.errors import Refused

T = TypeVar("T")

MOST, WITHIN_S = 10, 30.0
"""A driver that was held up more often within this many seconds cannot keep to any plan."""
TRIES = 5
"""How often one motion is begun."""


class HoldUps:
    """Counts how often a driver was held up, and bears `most` within any `within_s` seconds; `count` is the number so
    far."""

    def __init__(self, most: int = MOST, within_s: float = WITHIN_S) -> None:
        self.count = 0
        self._within_s = within_s
        self._recent: deque[float] = deque(maxlen=most)

    def bear(self, refusal: Refused) -> None:
        """Count one. Raises `refusal` where it has another reason, and when the driver was held up too often."""
        now, recent = time.monotonic(), self._recent
        too_often = len(recent) == recent.maxlen and now - recent[0] < self._within_s
        if refusal.reason != "held-up" or too_often:
            raise refusal
        recent.append(now)
        self.count += 1

    def persist(self, action: Callable[[], T], recover: Callable[[], object]) -> T:
        """Do `action` and return what it returns. When the driver was held up meanwhile, do `recover`, which acquires
        the lease again, and then `action` again. Raises as `bear` and what both raise."""
        while True:
            try:
                return action()
            except Refused as refusal:
                self.bear(refusal)
            recover()


def again_when_held_up(motion: Callable[[], T]) -> T:
    """Do `motion`, which acquires the lease itself and plans from where the arm is, and do it again whenever the driver
    was held up meanwhile, `TRIES` times at most; return what it returns. Raises what it raises."""
    return HoldUps(TRIES - 1, math.inf).persist(motion, lambda: None)
