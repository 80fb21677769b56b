"""Planning as a policy: the next block's action is the first one of a plan, whose search depends on how near the goal
is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from control.interfaces import Choice, Situation
from control.planning.planner import Planner
from perception.camera.interface import Image


@dataclass(frozen=True)
class Stage:
    """What plans where a picture differs from the goal by no more than `below` times what one block changes."""

    below: float
    planner: Planner


class PlannerPolicy:
    """Plans with the first of the `stages` that the picture is near enough for; the last one has no bound."""

    def __init__(self, name: str, stages: Sequence[Stage], block_change: float) -> None:
        """`block_change` is what one block changes (mean squared difference of latents), as in the card."""
        self.name = name
        self._stages = tuple(stages)
        self._block_change = block_change
        self._stage: Stage | None = None

    @property
    def approaches(self) -> bool:
        """Whether there is more than one stage."""
        return len(self._stages) > 1

    def begin(self, goal: Image) -> None:
        """Forget all plans and draw from the beginning."""
        for stage in self._stages:
            stage.planner.reset()

    def choose(self, situation: Situation) -> Choice:
        """Return the first action of the best plan found."""
        planner = self._planner(situation.difference / self._block_change)
        plan = planner.plan(situation.latent[0], situation.proprio[0], situation.goal, situation.before[0])
        return Choice(plan.actions[0].double().numpy(), plan.cost, plan.latents[-1])

    def _planner(self, difference: float) -> Planner:
        """Return what plans where the goal is as near as it is now."""
        stage = next(stage for stage in self._stages if difference <= stage.below)
        if stage is not self._stage:
            stage.planner.forget()  # what it planned when the world was another
            self._stage = stage
        return stage.planner
