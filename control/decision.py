"""What was decided from one observation, and what was expected of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from control.goals.goal_sequence import Leg
from robot.arm.interface import Vector


@dataclass(frozen=True)
class LatentState:
    """One instant in a world model's terms: the `latent` (D,) of the picture and the scaled `proprio` (P,)."""

    latent: Tensor
    proprio: Tensor


@dataclass(frozen=True)
class Decision:
    """What was decided from one observation.

    `action` (A,) in [−1, 1] is for the next block. `distance` is the critic's, in blocks to the goal; `reached` says
    that the goal is reached; `cost` is the plan's. `imagined` is the latent (D,) at the plan's end, None for what does
    not imagine. `seconds` is how long deciding took. `ahead` sub-goals lie before the goal, and `legs` says what came
    of those that are behind. `seen` is the observation itself in the world model's terms, and `expected` what the
    decision before predicted for it: None without a world model, and `expected` also for the first observation and
    where another block lies between. Their difference is the surprise.
    """

    action: Vector
    distance: float
    reached: bool
    cost: float
    imagined: Tensor | None
    seconds: float
    ahead: int = 0
    legs: tuple[Leg, ...] = ()
    seen: LatentState | None = None
    expected: LatentState | None = None
