"""Holding still, for comparison."""

from __future__ import annotations

import numpy as np

from control.interfaces import Choice, Situation
from perception.camera.interface import Image


class HoldPolicy:
    """Does nothing; an action has `size` entries."""

    name = "hold"
    approaches = False

    def __init__(self, size: int) -> None:
        self._size = size

    def begin(self, goal: Image) -> None:
        """Nothing to forget."""

    def choose(self, situation: Situation) -> Choice:
        """Return the action zero."""
        return Choice(np.zeros(self._size))
