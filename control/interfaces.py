"""The protocols of deciding: `Decider`, which sessions, benchmarks and practice use, and `Policy`, which an agent
uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from control.decision import Decision
from control.goals.latent_goal import LatentGoal
from perception.camera.interface import Image
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation
from robot.wire.entity_mark import EntityMark


class Decider(Protocol):
    """Decides block after block from observations. It may come from outside this package."""

    @property
    def name(self) -> str:
        """The name in tables and messages."""

    @property
    def embodiment(self) -> EmbodimentDescription:
        """The arm, the camera, the state and the actions that it was made for."""

    def set_goals(self, pictures: Sequence[Image]) -> None:
        """Set the goal pictures (H, W, 3) uint8 RGB, to be reached in this order, and reset to the initial state.

        Raises `GoalError` for pictures of the wrong size, and when there is none.
        """

    def decide(self, observation: Observation, committed: Vector) -> Decision:
        """Return the decision for the block after the one that `committed` (A,) is now moving the arm through.

        The `observation` was made at the running block's start. Raises `GoalError` without a goal.
        """


@runtime_checkable
class DrawsLatents(Protocol):
    """A decider that can draw its imagined latents, for display."""

    def draw(self, latent: Tensor) -> Image:
        """Return the picture (H, W, 3) uint8 RGB of `latent` (D,)."""


@runtime_checkable
class MasksGoals(Protocol):
    """A decider that can pursue the places of some things only."""

    @property
    def masks_goals(self) -> bool:
        """Whether its model has learnt to leave things out of a goal, and finds them by their names."""

    def set_goals(self, pictures: Sequence[Image], only: Sequence[str] = ()) -> None:
        """Set the goals as `Decider.set_goals` does. Of each picture, only the things named by `only` matter; all
        things when it is empty.

        Raises also `GoalError` for a decider that cannot mask goals, and `ThingNotFound` for a thing that it does not
        find in a picture.
        """


@runtime_checkable
class SeesEntities(Protocol):
    """A decider that sees things apart, each with a place."""

    def entities(self, decision: Decision) -> tuple[EntityMark, ...]:
        """Return the things that have a name, with their places now, in the goal and along the plan of `decision`."""


@runtime_checkable
class LooksFirst(Protocol):
    """A decider that can look at the goals and at the world before anything moves."""

    def look(self, observation: Observation) -> Decision | None:
        """Return the decision that the goals are reached, if they are already as the arm rests; None if not. Called
        once, after `set_goals` and before the first `decide`."""

    def unknown(self, picture: Image) -> str:
        """Return in what way `picture` (H, W, 3) uint8 RGB looks like nothing that the decider knows; "" when it looks
        known, and when the decider cannot judge that."""


@dataclass(frozen=True)
class Situation:
    """What a policy decides from: `latent` (1, D) and scaled `proprio` (1, P), both predicted for the next block's
    start; `before` (1, D), the latent one block earlier; the `goal`; and `difference`, the mean squared difference
    between the newest picture's latent and the goal."""

    latent: Tensor
    proprio: Tensor
    before: Tensor
    goal: LatentGoal
    difference: float


@dataclass(frozen=True)
class Choice:
    """A policy's choice: the `action` (A,) in [−1, 1], the `cost` of its plan, and the `imagined` latents (T, D)
    after each of its blocks; None for a policy without a model."""

    action: Vector
    cost: float = 0.0
    imagined: Tensor | None = None


class Policy(Protocol):
    """How an agent with a world model chooses its actions."""

    @property
    def name(self) -> str:
        """The name in tables and messages."""

    @property
    def refines_near_goal(self) -> bool:
        """Whether the policy switches to finer planning near the goal. The agent then waits longer before it declares
        success."""

    def begin(self, goal: Image) -> None:
        """Reset to the initial state. Later choices depend only on the seed, the final `goal` picture (H, W, 3), and
        the situations."""

    def choose(self, situation: Situation) -> Choice:
        """Return the choice for the next block. Gradients are disabled during the call."""
