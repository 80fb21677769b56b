"""The seams of deciding: what a session, a benchmark or practice asks of a decider, and what an agent asks of its
policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from control.decision import Decision
from perception.camera.interface import Image
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation


class Decider(Protocol):
    """Decides block after block from observations. It may come from outside this package."""

    @property
    def name(self) -> str:
        """What tables and messages call it."""

    @property
    def embodiment(self) -> EmbodimentDescription:
        """The arm, the camera, the state and the actions that it was made for."""

    def set_goals(self, pictures: Sequence[Image]) -> None:
        """Take goal pictures (H, W, 3) uint8 RGB, to be reached one after another, and forget what was before.

        Raises `GoalError` for pictures that it cannot take, and when there is none.
        """

    def decide(self, observation: Observation, committed: Vector) -> Decision:
        """Return the decision for the block after the one that `committed` (A,) is now moving the arm through.

        The `observation` was made at the running block's start. Raises `GoalError` without a goal.
        """


@runtime_checkable
class DrawsLatents(Protocol):
    """A decider whose imagined latents can be drawn for people."""

    def draw(self, latent: Tensor) -> Image:
        """Return what `latent` (D,) looks like, (H, W, 3) uint8 RGB."""


@dataclass(frozen=True)
class Situation:
    """What a policy chooses from: the latent (1, D) and scaled proprio (1, P) that are predicted for the next block's
    start, the latent `before` (1, D) that, the `goal` (D,), and by how much the newest picture differs from the goal
    (mean squared difference of latents)."""

    latent: Tensor
    proprio: Tensor
    before: Tensor
    goal: Tensor
    difference: float


@dataclass(frozen=True)
class Choice:
    """What a policy chose: the `action` (A,) in [−1, 1], the plan's `cost`, and the latent (D,) `imagined` at its end,
    None for a policy that does not imagine."""

    action: Vector
    cost: float = 0.0
    imagined: Tensor | None = None


class Policy(Protocol):
    """How an agent with a world model chooses its actions."""

    @property
    def name(self) -> str:
        """What tables and messages call it."""

    @property
    def approaches(self) -> bool:
        """Whether it plans anew, and more finely, near the goal: then the agent waits longer before it says done."""

    def begin(self, goal: Image) -> None:
        """Forget what was before; what follows depends on the seed and the last `goal` picture (H, W, 3) alone."""

    def choose(self, situation: Situation) -> Choice:
        """Return what to do in the next block. Called without gradients."""
