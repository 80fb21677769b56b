"""Planning as a policy: the next block's action is the first one of a plan. The planner depends on the difference from
the goal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from control.interfaces import Choice, Situation
from control.planning.planner import Planner
from perception.camera.interface import Image


@dataclass(frozen=True)
class Stage:
    """The planner used while the difference is at most `below` × `block_change`."""

    below: float
    planner: Planner


class PlannerPolicy:
    """Plans with the first of the `stages` whose bound the difference satisfies. The last bound must be infinite."""

    def __init__(self, name: str, stages: Sequence[Stage], block_change: float) -> None:
        """`block_change` is that of the checkpoint's card, a mean squared difference of latents."""
        self.name = name
        self._stages = tuple(stages)
        self._block_change = block_change
        self._stage: Stage | None = None

    @property
    def refines_near_goal(self) -> bool:
        """Whether there is more than one stage."""
        return len(self._stages) > 1

    def begin(self, goal: Image) -> None:
        """Reset all planners."""
        for stage in self._stages:
            stage.planner.reset()

    def choose(self, situation: Situation) -> Choice:
        """Return the first action of the cheapest plan found."""
        planner = self._planner(situation.difference / self._block_change)
        plan = planner.plan(situation.latent[0], situation.proprio[0], situation.goal, situation.before[0])
        return Choice(plan.actions[0].double().numpy(), plan.cost, plan.latents)

    def _planner(self, difference: float) -> Planner:
        """Return the planner for the current `difference`, in units of `block_change`."""
        stage = next(stage for stage in self._stages if difference <= stage.below)
        if stage is not self._stage:
            stage.planner.forget()  # its last plan is outdated
            self._stage = stage
        return stage.planner
