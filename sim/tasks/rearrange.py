"""Resetting the scene of a simulated arm: the tool where episodes begin, and the objects somewhere new."""

from __future__ import annotations

import numpy as np

from robot.embodiment.convention import ActionConvention
from robot.errors import Refused
from sim.tasks.environments import ENVIRONMENTS, TABLETOP_PLAY
from sim.tasks.scene_setup import set_stage


class Rearrangement:
    """Draws a start of the environment where actions mean `action`, and brings it about in the driver's world. Actions
    of no environment, such as displacements of the joints, begin where episodes on the tabletop do."""

    def __init__(self, command_address: str, action: ActionConvention, seed: int | None = None) -> None:
        self._command_address = command_address
        self._rng = np.random.default_rng(seed)
        found = [each for each in ENVIRONMENTS.values() if each.convention == action]
        self._environment = found[0] if found else TABLETOP_PLAY

    def __call__(self) -> str:
        """Arrange the scene anew, and return what was done.

        Raises `Refused` when somebody else has the arm, `ConnectionLost` when the driver goes away.
        """
        convention = self._environment.convention
        start = self._environment.start(self._rng, convention)
        try:
            set_stage(self._command_address, convention, start)
        except Refused as refusal:
            if refusal.reason == "held":
                detail = f"{refusal.detail}; end what moves the arm, then reset the scene"
                raise Refused("held", detail) from refusal
            raise
        things = ", ".join(item.name for item in start.objects)
        return f"the scene is new: {things}"
