"""The agent: from a picture and a goal picture to the next block's action, and to the word that the goal is reached.

It plans the block after the one that is running, from the latent that the world model predicts for its end, so that
deciding costs the arm no time. It sees pictures and proprioception and nothing else.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.goals.goal_detector import SETTLED
from control.goals.goal_sequence import GoalSequence, Leg
from control.goals.landmarks import Graph
from control.model.trained_model import TrainedModel
from control.planning.planner import Planner, PlannerConfig
from control.planning.schedule import Method, Stage, stages
from robot.arm.interface import Vector
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError, GoalError

DOUBTING = 6
"""Pictures without progress before an agent that approaches is content with a goal that may not quite be reached."""
Subgoals = Literal["none", "auto"]
SUBGOAL_PATIENCE = 30
"""Blocks after which a sub-goal that is not reached is given up for the next."""
GRAPH_REACH = 12.0
"""Blocks beyond which the critic is not asked how far something is, but a way of sub-goals is searched."""


@dataclass(frozen=True)
class Decision:
    """What the agent decided from one picture: the `action` (A,) in [−1, 1] of the next block, the critic's
    `distance` to the goal in blocks, whether the goal is `reached`, the plan's `cost`, the imagined latent at its end
    (None for methods that do not imagine), and how long deciding took. `ahead` sub-goals lie before the goal."""

    action: Vector
    distance: float
    reached: bool
    cost: float
    imagined: Tensor | None
    seconds: float
    ahead: int = 0


class Agent:
    """Decides block after block towards one goal picture, or one after another of several."""

    def __init__(
        self,
        trained: TrainedModel,
        method: Method = "full",
        seed: int = 0,
        config: PlannerConfig | None = None,
        subgoals: Subgoals = "none",
    ) -> None:
        """`config` is the search of the methods that plan, the default for the model's actions when None. With
        `subgoals` "auto" the agent looks for states that it remembers on the way to a goal that is far. Raises
        `CheckpointError` when the model remembers none."""
        self.trained = trained
        self.method: Method = method
        self._parts = trained.parts
        self._action = trained.card.world_model.action
        self._camera = trained.card.embodiment.camera.name
        self._seed = seed
        self._stages = stages(trained, method, config, seed)
        self._stage: Stage | None = None
        self._rng = np.random.default_rng(seed)
        self._sequence: GoalSequence | None = None
        if subgoals == "auto" and len(self._parts.landmarks.latent) == 0:
            raise CheckpointError("this checkpoint remembers no states to find sub-goals among; train it anew")
        self._graph = Graph(self._parts.critic, self._parts.landmarks, GRAPH_REACH) if subgoals == "auto" else None
        self._searched = False
        self._before: Tensor | None = None

    def set_goal(self, picture: NDArray[np.uint8]) -> None:
        """Take a new goal picture (H, W, 3) uint8 RGB and forget all that was before: with the same seed, the same
        goal is gone for in the same way. Raises `GoalError` for a wrong size."""
        self.set_goals([picture])

    @torch.inference_mode()
    def set_goals(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Take pictures to make true one after another, as `set_goal` does the last of them. Raises `GoalError` for a
        wrong size, or when there is none."""
        if not pictures:
            raise GoalError("there is no goal picture; give at least one")
        config = self.trained.card.world_model
        wanted = (config.height, config.width_px, 3)
        for picture in pictures:
            if picture.shape != wanted or picture.dtype != np.uint8:
                raise GoalError(f"the goal picture is {picture.shape} {picture.dtype}; this model sees {wanted} uint8")
        self._sequence = self._new_sequence(
            [self._parts.model.encode(torch.from_numpy(picture[None]))[0] for picture in pictures]
        )
        self._searched = False
        self._before = None
        # Another goal, other random actions, lest a single lucky walk decide a whole benchmark.
        self._rng = np.random.default_rng([self._seed, zlib.crc32(pictures[-1].tobytes())])
        for stage in self._stages:
            stage.planner.reset()

    @torch.inference_mode()
    def decide(self, observation: Observation, committed: Vector) -> Decision:
        """Return the decision for the block after the one that `committed` (A,) is now moving the arm through.

        The `observation` was made at the running block's start. Raises `GoalError` without a goal, `CameraError` when
        the picture of the model's camera is missing.
        """
        began = time.perf_counter()
        if self._sequence is None:
            raise GoalError("the agent has no goal; call set_goal with a picture first")
        model = self._parts.model
        latent = model.encode(torch.from_numpy(observation.picture(self._camera)[None]))
        proprio = model.normaliser(torch.from_numpy(observation.state[None].astype(np.float32)))
        reached = self._look(latent[0], proprio[0])
        goal = self._sequence.goal
        # Where the arm and the world will be when this decision begins to act.
        running = torch.from_numpy(committed[None].astype(np.float32))
        expected, proprio = model.predictor(latent, proprio, running, self._before)
        self._before = latent
        action, cost, imagined = self._choose(expected, proprio, goal)
        if reached:
            action = np.zeros(self._action)
        seconds = time.perf_counter() - began
        return Decision(action, self._sequence.distance, reached, cost, imagined, seconds, self._sequence.ahead)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """What came of the sub-goals that are behind."""
        return () if self._sequence is None else self._sequence.legs

    @torch.inference_mode()
    def draw(self, latent: Tensor) -> NDArray[np.uint8]:
        """Return what a latent (D,) looks like to the decoder, (H, W, 3) uint8 RGB; for people only."""
        return self._parts.decoder.draw(latent[None])[0].numpy()

    def _look(self, latent: Tensor, proprio: Tensor) -> bool:
        """Compare what is seen with what is wanted, and go on to the next sub-goal where it is; return whether the
        last goal is reached."""
        assert self._sequence is not None, "decide() has looked"
        if self._graph is not None and not self._searched:
            # From the first picture on: before, nobody knew where the way begins.
            goals = self._sequence.goals
            self._sequence = self._new_sequence([*self._graph.path(latent, proprio, goals[0]), *goals])
            self._searched = True
        return self._sequence.see(
            latent, lambda goal: float(self._parts.critic.distance(latent[None], proprio[None], goal[None]))
        )

    def _new_sequence(self, goals: Sequence[Tensor]) -> GoalSequence:
        doubting = DOUBTING if len(self._stages) > 1 else SETTLED
        return GoalSequence(goals, self.trained.card.block_change, SUBGOAL_PATIENCE, doubting)

    def _planner(self) -> Planner:
        """Return what plans where the goal is as near as it is now."""
        assert self._sequence is not None, "decide() has looked"
        differs = self._sequence.differs / self.trained.card.block_change
        stage = next(stage for stage in self._stages if differs <= stage.below)
        if stage is not self._stage:
            stage.planner.forget()  # what it planned when the world was another
            self._stage = stage
        return stage.planner

    def _choose(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> tuple[Vector, float, Tensor | None]:
        if self.method == "hold":
            return np.zeros(self._action), 0.0, None
        if self.method == "random":
            return self._rng.uniform(-1.0, 1.0, self._action), 0.0, None
        if self.method == "actor-only":
            action = self._parts.actor(latent, proprio, goal[None]).mode()
            imagined, _ = self._parts.model.predictor(latent, proprio, action, self._before)
            return action[0].double().numpy(), 0.0, imagined[0]
        before = None if self._before is None else self._before[0]
        plan = self._planner().plan(latent[0], proprio[0], goal, before)
        return plan.actions[0].double().numpy(), plan.cost, plan.latents[-1]
