"""A sequence of goals: which one is current, and how the earlier ones ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from control.decision_config import GoalDetectionConfig
from control.goals.goal_detector import GoalDetector
from control.goals.going_back import GoingBack
from control.goals.latent_goal import LatentGoal


@dataclass(frozen=True)
class SubgoalResult:
    """The result of one sub-goal: the number of `blocks` spent on it, and whether it was `reached` or skipped."""

    blocks: int
    reached: bool


class GoalSequence:
    """Sub-goals followed by the final goal.

    A goal is reached only when none of its things is out of its place. A sub-goal is reached when one such picture
    differs from it by at most `block_change`; it is not checked again. After `patience` blocks it is skipped. The final
    goal is never skipped and is judged by `GoalDetector`. `difference` (mean squared difference of latents) and
    `distance` (blocks) are those from the newest picture to the current goal. While `going_back` pursues one thing of
    the final goal, the difference is infinite.
    """

    def __init__(
        self,
        goals: Sequence[LatentGoal],
        block_change: float,
        patience: int,
        detection: GoalDetectionConfig,
        going_back: GoingBack | None = None,
    ) -> None:
        """`block_change` is that of the checkpoint's card; `detection` is for the final goal. Without `going_back`, the
        final goal is always pursued whole. Raises `ValueError` when there is no goal."""
        if not goals:
            raise ValueError("a sequence needs a goal at its end")
        self.goals = tuple(goals)
        self._block_change = block_change
        self._patience = patience
        self._detection = detection
        self._detector = GoalDetector(block_change, detection)
        self._going_back = going_back
        self._one_thing: LatentGoal | None = None
        self._spent = 0
        self._finished: list[SubgoalResult] = []
        self.difference = self.distance = math.inf
        self.out_of_place: tuple[str, ...] = ()
        """The names of the things that the newest picture shows out of their places in the current goal."""

    @property
    def goal(self) -> LatentGoal:
        """The current goal."""
        return self._one_thing or self._whole

    @property
    def _whole(self) -> LatentGoal:
        return self.goals[len(self._finished)]

    @property
    def finished(self) -> tuple[SubgoalResult, ...]:
        """The results of the finished sub-goals."""
        return tuple(self._finished)

    @property
    def remaining(self) -> int:
        """The number of remaining sub-goals."""
        return len(self.goals) - 1 - len(self._finished)

    def look(self, latent: Tensor) -> bool:
        """Finish the sub-goals that the picture of the resting arm, with this `latent` (D,), shows already; return
        whether it shows the final goal too.

        Nothing may move afterwards that could make it untrue, so it must be certain: the difference is at most `sure` ×
        `block_change`. The critic, which knows only postures at which actions begin, is not asked.
        """
        sure = self._detection.sure * self._block_change
        while self._whole.is_shown(latent, sure, self._detection.same_place):
            if not self.remaining:
                return True
            self._finished.append(SubgoalResult(0, True))
        return False

    def update(self, latent: Tensor, blocks_to: Callable[[LatentGoal], float]) -> bool:
        """Update with the newest picture's `latent` (D,); return whether the final goal is reached. `blocks_to` returns
        the critic's distance to a goal.

        All successive sub-goals that the picture already matches are finished at once.
        """
        if self.remaining:
            self._spent += 1
        self._compare(latent)
        while self.remaining and ((reached := self._shown()) or self._spent >= self._patience):
            self._finished.append(SubgoalResult(self._spent, reached))
            self._spent = 0
            self._compare(latent)
        self.distance = blocks_to(self._whole)
        if self._going_back is not None and not self.remaining:
            self._one_thing = self._going_back.update(self._whole, self.out_of_place, self.distance, self.difference)
            if self._one_thing is not None:
                self.difference = math.inf
        if self.remaining or self.out_of_place:
            self._detector.reset()
            return False
        return self._detector.update(self.difference, self.distance)

    def _compare(self, latent: Tensor) -> None:
        """Compare `latent` (D,) with the current goal."""
        self.difference = float(self._whole.difference(latent))
        self.out_of_place = self._misplaced(latent)

    def _shown(self) -> bool:
        """Return whether the newest picture shows the current goal."""
        return self.difference <= self._block_change and not self.out_of_place

    def _misplaced(self, latent: Tensor) -> tuple[str, ...]:
        return self._whole.out_of_place(latent, self._detection.same_place)
