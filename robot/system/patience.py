"""Time to wait for another process, in which a pause of the waiting process itself hardly counts.

A busy or paused machine holds up the one that waits as well. When it goes on, a deadline on the clock has passed
although nothing was waited for, and what came meanwhile is old: it would blame the other process.
"""

from __future__ import annotations

import time

STEP_S = 0.05
"""The most that one wait may take, and that a pause counts."""


class Patience:
    """`seconds` of waiting, done in steps: wait for at most `step_s` seconds, look for what came, ask again."""

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds
        self._counted = time.monotonic()

    @property
    def step_s(self) -> float:
        """How long the next wait may take, in s; 0 once the time is used up."""
        now = time.monotonic()
        self._left_s -= min(now - self._counted, 2 * STEP_S)
        self._counted = now
        return min(max(0.0, self._left_s), STEP_S)
