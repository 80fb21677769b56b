"""Resetting the scene of a simulated arm: the tool where episodes begin, and the objects somewhere new."""

from __future__ import annotations

import numpy as np

from robot.embodiment.actions import ActionConvention
from robot.errors import ConfigurationError, Refused
from sim.tasks.environments import ENVIRONMENTS
from sim.tasks.scene_setup import set_stage


class Rearrangement:
    """Draws a start of the environment where actions mean `action`, and brings it about in the driver's world."""

    def __init__(self, command_address: str, action: ActionConvention, seed: int | None = None) -> None:
        """Raises `ConfigurationError` when the simulation has no such environment."""
        self._command_address = command_address
        self._action = action
        self._rng = np.random.default_rng(seed)
        found = [each for each in ENVIRONMENTS.values() if each.convention == action]
        if not found:
            raise ConfigurationError("the simulation has no environment with such actions, so nothing to arrange")
        self._environment = found[0]

    def __call__(self) -> str:
        """Arrange the scene anew, and return what was done.

        Raises `Refused` when somebody else has the arm, `ConnectionLost` when the driver goes away.
        """
        start = self._environment.start(self._rng, self._action)
        try:
            set_stage(self._command_address, self._action, start)
        except Refused as refusal:
            if refusal.reason == "held":
                detail = f"{refusal.detail}; end what moves the arm, then reset the scene"
                raise Refused("held", detail) from refusal
            raise
        things = ", ".join(item.name for item in start.objects)
        return f"the scene is new: {things}"
