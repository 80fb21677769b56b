"""One final goal among several things, pursued thing by thing: of those that are out of their places, the nearest one
first, and all others left out of the goal meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from control.decision_config import GoalDetectionConfig
from control.goals.goal_detector import GoalDetector
from control.goals.goal_sequence import SubgoalResult
from control.goals.latent_goal import LatentGoal


class Arrangement:
    """The goals on the way to one `final` goal: while two or more things are out of their places, the place of one of
    them alone; then all of the final goal.

    Every picture shows anew which things are out of place, so a thing that is displaced again is gone back to. Among
    several the critic's nearest comes first. `difference` and `distance` are those of `GoalSequence`.
    """

    def __init__(
        self,
        final: LatentGoal,
        things: Sequence[Tensor],
        block_change: float,
        patience: int,
        detection: GoalDetectionConfig,
    ) -> None:
        """`things` are masks (K,), each with 1 for the tokens of one thing that `final` shows. `block_change` is that
        of the checkpoint's card. A thing is given up for another one after `patience` blocks."""
        self._final = final
        self._things = tuple(things)
        self._places = [LatentGoal(final.latent, tokens, final.layout) for tokens in things]
        self._block_change = block_change
        self._patience = patience
        self._detection = detection
        self._detector = GoalDetector(block_change, detection)
        self._current: int | None = None
        self._out: list[int] = []
        self._tried: set[int] = set()
        self._spent = 0
        self._finished: list[SubgoalResult] = []
        self.difference = self.distance = math.inf

    @property
    def goal(self) -> LatentGoal:
        """The current goal."""
        return self._final if self._current is None else self._places[self._current]

    @property
    def finished(self) -> tuple[SubgoalResult, ...]:
        """The results of the finished sub-goals; a thing that is gone back to has several."""
        return tuple(self._finished)

    @property
    def remaining(self) -> int:
        """The number of sub-goals that remain: of things out of their places, but for the last one."""
        return 0 if self._current is None else len(self._out) - 1

    def look(self, latent: Tensor) -> bool:
        """Return whether the picture of the resting arm, with this `latent` (D,), shows the final goal for sure, as
        `GoalSequence.look` does."""
        return float(self._final.difference(latent)) <= self._detection.sure * self._block_change

    def update(self, latent: Tensor, blocks_to: Callable[[LatentGoal], float]) -> bool:
        """Update with the newest picture's `latent` (D,); return whether the final goal is reached. `blocks_to` returns
        the critic's distance to a goal."""
        self._out = self._out_of_place(latent)
        self._leave()
        if self._current is None and len(self._out) > 1:
            fresh = [number for number in self._out if number not in self._tried] or self._out
            self._current = min(fresh, key=lambda number: blocks_to(self._places[number]))
            self._spent = 0
        self.difference = float(self.goal.difference(latent))
        self.distance = blocks_to(self.goal)
        if self._current is not None:
            self._detector.reset()
            return False
        return self._detector.update(self.difference, self.distance)

    def _out_of_place(self, latent: Tensor) -> list[int]:
        """Return the numbers of the things of which some token is not where it is wanted."""
        wrong = self._final.differences(latent) > self._detection.same_place**2
        return [number for number, tokens in enumerate(self._things) if bool((wrong & (tokens > 0)).any())]

    def _leave(self) -> None:
        """Leave the current thing where it is in place, where its patience is spent, and where it is the last one."""
        if self._current is None:
            return
        self._spent += 1
        reached = self._current not in self._out
        if not reached and self._spent < self._patience and len(self._out) > 1:
            return
        self._finished.append(SubgoalResult(self._spent, reached))
        # Given up, it comes after the others; once all were given up, each has another turn.
        self._tried = set() if reached or set(self._out) <= self._tried | {self._current} else self._tried
        if not reached:
            self._tried.add(self._current)
        self._current = None
