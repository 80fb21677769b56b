"""Resets the scene of a simulated arm: the tool to an episode's start, and the objects to new places."""

from __future__ import annotations

import numpy as np

from robot.embodiment.convention import ActionConvention
from robot.errors import Refused
from sim.tasks.environments import ENVIRONMENTS, TABLETOP_PLAY
from sim.tasks.scene_setup import set_up_start


class Rearrangement:
    """Draws a start of the environment with the action convention `action`, and sets it up in the driver's world. A
    convention of no environment, such as joint displacements, uses starts of the tabletop."""

    def __init__(self, command_address: str, action: ActionConvention, seed: int | None = None) -> None:
        self._command_address = command_address
        self._rng = np.random.default_rng(seed)
        found = [each for each in ENVIRONMENTS.values() if each.convention == action]
        self._environment = found[0] if found else TABLETOP_PLAY

    def __call__(self) -> str:
        """Reset the scene, and return a message.

        Raises `Refused` when another client holds the lease, `ConnectionLost` when the driver goes away.
        """
        convention = self._environment.convention
        start = self._environment.start(self._rng, convention)
        try:
            set_up_start(self._command_address, convention, start)
        except Refused as refusal:
            if refusal.reason == "held":
                detail = f"{refusal.detail}; end the program that moves the arm, then reset the scene"
                raise Refused("held", detail) from refusal
            raise
        things = ", ".join(item.name for item in start.objects)
        return f"the scene was reset: {things}"
