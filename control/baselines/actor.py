"""The actor without planning, for comparison."""

from __future__ import annotations

from control.interfaces import Choice, Situation
from control.model.trained_model import Parts
from perception.camera.interface import Image


class ActorPolicy:
    """Does what the actor finds likeliest."""

    name = "actor-only"
    approaches = False

    def __init__(self, parts: Parts) -> None:
        self._actor, self._predictor = parts.actor, parts.model.predictor

    def begin(self, goal: Image) -> None:
        """Nothing to forget."""

    def choose(self, situation: Situation) -> Choice:
        """Return the mode of the actor's distribution, and where the model says it leads."""
        action = self._actor(situation.latent, situation.proprio, situation.goal[None]).mode()
        imagined, _ = self._predictor(situation.latent, situation.proprio, action, situation.before)
        return Choice(action[0].double().numpy(), 0.0, imagined[0])
