"""One final goal among several things, pursued thing by thing: of those that are out of their places, the nearest one
first that nothing stands on or belongs under, and all others left out of the goal meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from control.decision_config import GoalDetectionConfig, SubgoalConfig
from control.goals.goal_detector import GoalDetector
from control.goals.goal_sequence import SubgoalResult
from control.goals.going_back import GoingBack
from control.goals.latent_goal import LatentGoal
from control.goals.stacking import stacked

PROGRESS = 1.0
"""Blocks by which the critic's distance must fall below the smallest so far to count as coming nearer."""


class Arrangement:
    """The goals on the way to one `final` goal: while two or more things are out of their places, the place of one of
    them alone; then all of the final goal.

    Every picture shows anew which things are out of place, so a thing that is displaced again is gone back to. Among
    several the critic's nearest comes first, but what stands on another thing before that one, and what the final goal
    shows below another thing before that one. `difference` and `distance` are those of `GoalSequence`.
    """

    def __init__(
        self,
        final: LatentGoal,
        block_change: float,
        limits: SubgoalConfig,
        detection: GoalDetectionConfig,
    ) -> None:
        """`block_change` is that of the checkpoint's card. `limits` say for how long a thing must be in its place,
        after how many blocks it is given up for another one, and when it is gone back to."""
        self._final = final
        self._places = {name: final.of_things([name]) for name in final.things}
        self._block_change = block_change
        self._below = stacked(final.latent, final.layout, final.things)
        self._limits = limits
        self._going_back = GoingBack(limits, block_change)
        self._goal = final
        self._detection = detection
        self._detector = GoalDetector(block_change, detection)
        self._current: str | None = None
        self._tried: set[str] = set()
        self._spent = self._stalled = self._placed = 0
        self._nearest = math.inf
        self._finished: list[SubgoalResult] = []
        self.difference = self.distance = math.inf
        self.out_of_place: tuple[str, ...] = ()
        """The names of the things that the newest picture shows out of their places."""

    @property
    def goal(self) -> LatentGoal:
        """The current goal."""
        return self._goal

    @property
    def finished(self) -> tuple[SubgoalResult, ...]:
        """The results of the finished sub-goals; a thing that is gone back to has several."""
        return tuple(self._finished)

    @property
    def remaining(self) -> int:
        """The number of sub-goals that remain: of things out of their places, but for the last one."""
        return 0 if self._current is None else len(self._others())

    def look(self, latent: Tensor) -> bool:
        """Return whether the picture of the resting arm, with this `latent` (D,), shows the final goal for sure, as
        `GoalSequence.look` does."""
        sure = self._detection.sure * self._block_change
        return self._final.is_shown(latent, sure, self._detection.same_place)

    def update(self, latent: Tensor, blocks_to: Callable[[LatentGoal], float]) -> bool:
        """Update with the newest picture's `latent` (D,); return whether the final goal is reached. `blocks_to` returns
        the critic's distance to a goal."""
        self.out_of_place = self._final.out_of_place(latent, self._detection.same_place)
        self._leave()
        if self._current is None and len(self.out_of_place) > 1:
            self._begin(min(self._free(latent), key=lambda name: blocks_to(self._places[name])))
        self._goal = self._final if self._current is None else self._place_of(self._current)
        self.difference = float(self._goal.difference(latent))
        self.distance = blocks_to(self._goal)
        self._stalled += 1
        if self.distance <= self._nearest - PROGRESS:
            self._nearest, self._stalled = self.distance, 0
        left = [name for name in self.out_of_place if name in self._goal.things]
        alone = self._going_back.update(self._goal, left, self.distance, self.difference)
        if alone is not None:
            self._goal, self.difference = alone, math.inf
        if self.out_of_place:
            self._detector.reset()
            return False
        return self._detector.update(self.difference, self.distance)

    def _free(self, latent: Tensor) -> Sequence[str]:
        """Return the things to choose from: of those out of place, and not tried already, the ones that `latent` (D,)
        shows nothing on and that belong on nothing that is out of its place itself."""
        fresh = [name for name in self.out_of_place if name not in self._tried] or self.out_of_place
        now = stacked(latent, self._final.layout, self._final.things)
        blocked = {lower for upper, lower in now if upper in self.out_of_place}
        blocked |= {upper for upper, lower in self._below if lower in self.out_of_place}
        return [name for name in fresh if name not in blocked] or fresh

    def _place_of(self, name: str) -> LatentGoal:
        """Return the goal that the thing `name` comes to its place, and that what is in its place stays there."""
        return self._final.of_things([each for each in self._final.things if each == name or self._in_place(each)])

    def _in_place(self, name: str) -> bool:
        return name not in self.out_of_place

    def _begin(self, name: str) -> None:
        """Begin with the thing `name`."""
        self._current = name
        self._spent = self._stalled = self._placed = 0
        self._nearest = math.inf
        self._going_back.forget()

    def _leave(self) -> None:
        """Leave the current thing where it is in place to stay, where it comes no nearer, and where it is the last
        one."""
        if self._current is None:
            return
        self._spent += 1
        in_place = self._in_place(self._current)
        # A thing that the hand carries past its place is in it for a moment only.
        self._placed = self._placed + 1 if in_place else 0
        ended = self._placed >= self._limits.placed_after or self._stalled >= self._limits.patience
        if self._others() and not ended:
            return
        self._finished.append(SubgoalResult(self._spent, in_place))
        # Given up, it comes after the others; once all were given up, each has another turn.
        self._tried = set() if in_place or set(self.out_of_place) <= self._tried | {self._current} else self._tried
        if not in_place:
            self._tried.add(self._current)
        self._current = None
        self._going_back.forget()

    def _others(self) -> list[str]:
        """Return the things out of place but for the current one."""
        return [name for name in self.out_of_place if name != self._current]
