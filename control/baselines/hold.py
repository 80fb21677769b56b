"""Holding still, for comparison."""

from __future__ import annotations

import numpy as np

from control.interfaces import Choice, Situation
from perception.camera.interface import Image


class HoldPolicy:
    """Chooses the zero action, of `size` entries."""

    name = "hold"
    refines_near_goal = False

    def __init__(self, size: int) -> None:
        self._size = size

    def begin(self, goal: Image) -> None:
        """Do nothing: the policy has no state."""

    def choose(self, situation: Situation) -> Choice:
        """Return the zero action."""
        return Choice(np.zeros(self._size))
