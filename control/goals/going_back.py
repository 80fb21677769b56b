"""Goes back to a thing that was left out of its place.

Near the goal the critic, which counts blocks, may see nothing left to do, and the fine search of the last centimetres
cannot grasp a thing again. So such a thing becomes a goal of its own, and is searched for as from far away.
"""

from __future__ import annotations

from collections.abc import Sequence

from control.decision_config import SubgoalConfig
from control.goals.latent_goal import LatentGoal


class GoingBack:
    """Watches the pictures on the way to a goal, and names the goal that one thing of it is in its place."""

    def __init__(self, limits: SubgoalConfig, block_change: float) -> None:
        """`block_change` is that of the checkpoint's card."""
        self._limits = limits
        self._block_change = block_change
        self._left = 0

    def forget(self) -> None:
        """Begin anew, with another goal."""
        self._left = 0

    def update(
        self, goal: LatentGoal, out_of_place: Sequence[str], distance: float, difference: float
    ) -> LatentGoal | None:
        """Return the goal that the first of the things `out_of_place` is in its place; None while the whole `goal` is
        to be pursued. `distance`, in blocks, is the critic's to the whole goal in the newest picture, and `difference`
        how much that picture differs from it.

        It begins after `left_after` pictures in a row with a thing out of its place that are near the goal: by the
        critic, `left_near`, or by what they show, `left_below`. It ends when no thing is out of its place.
        """
        limits = self._limits
        begun = self._left >= limits.left_after
        near = distance < limits.left_near or difference < limits.left_below * self._block_change
        self._left = self._left + 1 if out_of_place and (begun or near) else 0
        return goal.of_things(out_of_place[:1]) if self._left >= limits.left_after else None
