"""One final goal among several things, pursued thing by thing: of those that are out of their places, the nearest one
first, and all others left out of the goal meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from control.decision_config import GoalDetectionConfig, SubgoalConfig
from control.goals.goal_detector import GoalDetector
from control.goals.goal_sequence import SubgoalResult
from control.goals.going_back import GoingBack
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
        block_change: float,
        limits: SubgoalConfig,
        detection: GoalDetectionConfig,
    ) -> None:
        """`block_change` is that of the checkpoint's card. A thing is given up for another one after the `patience` of
        `limits`, and the last one is gone back to as they say."""
        self._final = final
        self._places = {name: final.of_thing(name) for name in final.things}
        self._block_change = block_change
        self._patience = limits.patience
        self._going_back = GoingBack(limits)
        self._last_thing: LatentGoal | None = None
        self._detection = detection
        self._detector = GoalDetector(block_change, detection)
        self._current: str | None = None
        self._tried: set[str] = set()
        self._spent = 0
        self._finished: list[SubgoalResult] = []
        self.difference = self.distance = math.inf
        self.out_of_place: tuple[str, ...] = ()
        """The names of the things that the newest picture shows out of their places."""

    @property
    def goal(self) -> LatentGoal:
        """The current goal."""
        return self._last_thing or self._final if self._current is None else self._places[self._current]

    @property
    def finished(self) -> tuple[SubgoalResult, ...]:
        """The results of the finished sub-goals; a thing that is gone back to has several."""
        return tuple(self._finished)

    @property
    def remaining(self) -> int:
        """The number of sub-goals that remain: of things out of their places, but for the last one."""
        return 0 if self._current is None else len(self.out_of_place) - 1

    def look(self, latent: Tensor) -> bool:
        """Return whether the picture of the resting arm, with this `latent` (D,), shows the final goal for sure, as
        `GoalSequence.look` does."""
        near = float(self._final.difference(latent)) <= self._detection.sure * self._block_change
        return near and not self._final.out_of_place(latent, self._detection.same_place)

    def update(self, latent: Tensor, blocks_to: Callable[[LatentGoal], float]) -> bool:
        """Update with the newest picture's `latent` (D,); return whether the final goal is reached. `blocks_to` returns
        the critic's distance to a goal."""
        self.out_of_place = self._final.out_of_place(latent, self._detection.same_place)
        self._leave()
        if self._current is None and len(self.out_of_place) > 1:
            fresh = [name for name in self.out_of_place if name not in self._tried] or self.out_of_place
            self._current = min(fresh, key=lambda name: blocks_to(self._places[name]))
            self._spent = 0
        self._last_thing = None
        self.difference = float(self.goal.difference(latent))
        self.distance = blocks_to(self.goal)
        if self._current is None:
            self._last_thing = self._going_back.update(self._final, self.out_of_place, self.distance)
            if self._last_thing is not None:
                self.difference = math.inf
        if self.out_of_place:
            self._detector.reset()
            return False
        return self._detector.update(self.difference, self.distance)

    def _leave(self) -> None:
        """Leave the current thing where it is in place, where its patience is spent, and where it is the last one."""
        if self._current is None:
            return
        self._spent += 1
        reached = self._current not in self.out_of_place
        if not reached and self._spent < self._patience and len(self.out_of_place) > 1:
            return
        self._finished.append(SubgoalResult(self._spent, reached))
        # Given up, it comes after the others; once all were given up, each has another turn.
        self._tried = set() if reached or set(self.out_of_place) <= self._tried | {self._current} else self._tried
        if not reached:
            self._tried.add(self._current)
        self._current = None
