"""A decision from one observation, with the latent state that was seen and the one that was expected."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from control.goals.goal_sequence import SubgoalResult
from robot.arm.interface import Vector


@dataclass(frozen=True)
class LatentState:
    """A state as a world model represents it: the `latent` (D,) of the picture and the scaled `proprio` (P,)."""

    latent: Tensor
    proprio: Tensor


@dataclass(frozen=True)
class Decision:
    """A decision from one observation.

    `action` (A,) in [−1, 1] is for the next block. `distance` is the critic's distance, in blocks, to the current
    goal. `reached`: whether the final goal is reached. `cost` is that of the plan. `imagined` are the latents (T, D)
    after each block of the plan; None for deciders without a model. `seconds` is the time that deciding took.
    `remaining_subgoals` is the number of sub-goals before the final goal, and `finished_subgoals` holds the results of
    the earlier ones. `out_of_place` names the things that are not where the goal wants them; empty for deciders that
    tell no things apart.

    `seen` is the latent state of the observation; None for deciders without a model. `expected` is the previous
    decision's prediction of `seen`; None also for the first observation and after a skipped block. The difference
    between the two is the surprise.
    """

    action: Vector
    distance: float
    reached: bool
    cost: float
    imagined: Tensor | None
    seconds: float
    remaining_subgoals: int = 0
    out_of_place: tuple[str, ...] = ()
    finished_subgoals: tuple[SubgoalResult, ...] = ()
    seen: LatentState | None = None
    expected: LatentState | None = None
