"""Goes back to a thing that was left a little out of its place.

Near the goal the critic, which counts blocks, may see nothing left to do, and the fine search of the last centimetres
cannot grasp a thing again. So such a thing becomes a goal of its own.
"""

from __future__ import annotations

from control.decision_config import SubgoalConfig
from control.goals.latent_goal import LatentGoal


class GoingBack:
    """Watches the pictures on the way to a final goal, and names the goal that one thing of it is in its place."""

    def __init__(self, limits: SubgoalConfig) -> None:
        self._limits = limits
        self._left = 0

    def update(self, goal: LatentGoal, out_of_place: tuple[str, ...], distance: float) -> LatentGoal | None:
        """Return the goal that the first of the things `out_of_place` is in its place; None while the whole `goal` is
        to be pursued. `distance`, in blocks, is the critic's to the whole goal in the newest picture.

        It begins after `left_after` pictures in a row with a thing out of its place at a distance below `left_near`,
        and ends when no thing is.
        """
        limits = self._limits
        begun = self._left >= limits.left_after
        left = bool(out_of_place) and (begun or distance < limits.left_near)
        self._left = self._left + 1 if left else 0
        return goal.of_things(out_of_place[:1]) if self._left >= limits.left_after else None
