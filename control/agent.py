"""The agent: from an observation and goal pictures to the next block's action, and to whether the goal is reached.

It decides the block after the one that is running, from the latent that the world model predicts for its end, so that
deciding costs the arm no time. It knows pictures and proprioception and nothing else. Which action follows from there
is its policy's choice.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.decision import Decision, LatentState
from control.decision_config import DecisionConfig
from control.goals.goal_sequence import GoalSequence
from control.goals.landmarks import Graph
from control.interfaces import Policy, Situation
from control.model.trained_model import TrainedModel
from perception.model.recent_pictures import RecentPictures
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError, GoalError

Subgoals = Literal["none", "auto"]


class Agent:
    """A decider with a world model: pursues one goal picture, or several one after another, as its policy chooses."""

    def __init__(
        self, trained: TrainedModel, policy: Policy, config: DecisionConfig, subgoals: Subgoals = "none"
    ) -> None:
        """With `subgoals` "auto" the agent searches the states that the model remembers for sub-goals on the way to a
        distant goal.

        Raises `CheckpointError` when the model remembers none, and when its sizes do not fit its embodiment.
        """
        self.trained = trained
        self.policy = policy
        self._parts = trained.parts
        self._config = config
        card, embodiment = trained.card, trained.card.embodiment
        if (card.world_model.proprio, card.world_model.action) != (len(embodiment.state_names), embodiment.action.size):
            raise CheckpointError("this checkpoint's sizes do not fit the state and the actions that it names")
        detection = config.goal_detection
        if not policy.approaches:
            detection = msgspec.structs.replace(detection, doubting=detection.settled)
        self._detection = detection
        self._sequence: GoalSequence | None = None
        ways = config.subgoals
        if subgoals == "auto" and len(self._parts.landmarks.latent) == 0:
            raise CheckpointError("this checkpoint remembers no states to find sub-goals among; train it anew")
        self._graph = (
            Graph(self._parts.critic, self._parts.landmarks, ways.reach, ways.per_hop) if subgoals == "auto" else None
        )
        self._searched = False
        self._before: Tensor | None = None
        self._recent = RecentPictures(self._parts.model.encoder.frames)
        self._predicted: tuple[int, LatentState] | None = None

    @property
    def name(self) -> str:
        """What tables and messages call it: its policy's name."""
        return self.policy.name

    @property
    def embodiment(self) -> EmbodimentDescription:
        """What the model was trained with."""
        return self.trained.card.embodiment

    def set_goal(self, picture: NDArray[np.uint8]) -> None:
        """Take a new goal picture (H, W, 3) uint8 RGB and forget all that was before: with the same seed, the same
        goal is pursued in the same way. Raises `GoalError` for a wrong size."""
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
        self._before = self._predicted = None
        self._recent.clear()
        self.policy.begin(pictures[-1])

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
        latent = model.encode_clips(self._recent.add(observation.picture(self.embodiment.camera.name)))
        proprio = model.normaliser(torch.from_numpy(observation.state[None].astype(np.float32)))
        expected = self._expected(observation.time_ns)
        reached = self._look(latent[0], proprio[0])
        # Where the arm and the world will be when this decision begins to act.
        running = torch.from_numpy(committed[None].astype(np.float32))
        next_latent, next_proprio = model.predictor(latent, proprio, running, self._before)
        self._before = latent
        self._predicted = observation.time_ns, LatentState(next_latent[0], next_proprio[0])
        sequence = self._sequence
        situation = Situation(next_latent, next_proprio, latent, sequence.goal, sequence.difference)
        choice = self.policy.choose(situation)
        return Decision(
            action=np.zeros(len(committed)) if reached else choice.action,
            distance=sequence.distance,
            reached=reached,
            cost=choice.cost,
            imagined=choice.imagined,
            seconds=time.perf_counter() - began,
            ahead=sequence.ahead,
            legs=sequence.legs,
            seen=LatentState(latent[0], proprio[0]),
            expected=expected,
        )

    @torch.inference_mode()
    def draw(self, latent: Tensor) -> NDArray[np.uint8]:
        """Return what a latent (D,) looks like to the decoder, (H, W, 3) uint8 RGB; for people only."""
        return self._parts.decoder.draw(latent[None])[0].numpy()

    def _expected(self, time_ns: int) -> LatentState | None:
        """Return what was predicted for an observation at `time_ns`; None unless it is one block after the last."""
        if self._predicted is None:
            return None
        before_ns, state = self._predicted
        block_ns = self.embodiment.action.block_ns
        return state if abs(time_ns - before_ns - block_ns) <= block_ns // 2 else None

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
        return GoalSequence(goals, self.trained.card.block_change, self._config.subgoals.patience, self._detection)
