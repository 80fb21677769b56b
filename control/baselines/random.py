"""Random actions, for comparison."""

from __future__ import annotations

import zlib

import numpy as np

from control.interfaces import Choice, Situation
from perception.camera.interface import Image


class RandomPolicy:
    """Draws each of the `size` entries of an action uniformly from [−1, 1]."""

    name = "random"
    refines_near_goal = False

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._seed = size, seed
        self._rng = np.random.default_rng(seed)

    def begin(self, goal: Image) -> None:
        """Restart the random stream. It depends on the goal, because one lucky walk must not decide a benchmark."""
        self._rng = np.random.default_rng([self._seed, zlib.crc32(goal.tobytes())])

    def choose(self, situation: Situation) -> Choice:
        """Return a random action."""
        return Choice(self._rng.uniform(-1.0, 1.0, self._size))
