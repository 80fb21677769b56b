"""The actor without planning, for comparison."""

from __future__ import annotations

from control.interfaces import Choice, Situation
from control.model.trained_model import Parts
from perception.camera.interface import Image


class ActorPolicy:
    """Chooses the actor's likeliest action."""

    name = "actor-only"
    refines_near_goal = False

    def __init__(self, parts: Parts) -> None:
        self._actor, self._predictor = parts.actor, parts.model.predictor

    def begin(self, goal: Image) -> None:
        """Do nothing: the policy has no state."""

    def choose(self, situation: Situation) -> Choice:
        """Return the mode of the actor's distribution, and the latent that the model predicts after it."""
        action = self._actor(situation.latent, situation.proprio, *situation.goal.repeated(1)).mode()
        imagined, _ = self._predictor(situation.latent, situation.proprio, action, situation.before)
        return Choice(action[0].double().numpy(), 0.0, imagined)
