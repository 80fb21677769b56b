"""A way of several goals, one after another: which one counts now, and what came of those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from control.decision_config import GoalDetectionConfig
from control.goals.goal_detector import GoalDetector, difference


@dataclass(frozen=True)
class Leg:
    """What came of one sub-goal: how many `blocks` went into it, and whether it was `reached` or given up."""

    blocks: int
    reached: bool


class GoalSequence:
    """Sub-goals (D,) and, last, the goal.

    A sub-goal is behind the agent as soon as one picture looks like it, by the same measure as a goal that is reached,
    and it never counts again, however the world looks then. One that is not reached in `patience` blocks is given up
    for the next. The goal itself is never given up, and must be reached to stay. `difference` is that of the newest
    picture from what counts now (mean squared, of latents), `distance` how many blocks away that is.
    """

    def __init__(
        self, goals: Sequence[Tensor], one_block: float, patience: int, detection: GoalDetectionConfig
    ) -> None:
        """`one_block` is how much one block changes, at most; `detection` is for the goal at the end. Raises
        `ValueError` when there is no goal."""
        if not goals:
            raise ValueError("a sequence needs a goal at its end")
        self.goals = tuple(goals)
        self._one_block = one_block
        self._patience = patience
        self._detector = GoalDetector(one_block, detection)
        self._spent = 0
        self._legs: list[Leg] = []
        self.difference = self.distance = math.inf

    @property
    def goal(self) -> Tensor:
        """What to go for now, (D,)."""
        return self.goals[len(self._legs)]

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What came of the sub-goals that are behind."""
        return tuple(self._legs)

    @property
    def ahead(self) -> int:
        """How many sub-goals there still are before the goal."""
        return len(self.goals) - 1 - len(self._legs)

    def see(self, latent: Tensor, blocks_to: Callable[[Tensor], float]) -> bool:
        """Take in the latent (D,) of the newest picture, and a function that says how many blocks away a goal (D,) is;
        return whether the last goal is reached.

        When it looks like the sub-goal, `goal` is the next one; when it looks like that too, the one after, and so on.
        """
        if self.ahead:
            self._spent += 1
        self.difference = float(difference(latent, self.goal))
        while self.ahead and ((reached := self.difference <= self._one_block) or self._spent >= self._patience):
            self._legs.append(Leg(self._spent, reached))
            self._spent = 0
            self.difference = float(difference(latent, self.goal))
        self.distance = blocks_to(self.goal)
        return not self.ahead and self._detector.see(self.difference, self.distance)
