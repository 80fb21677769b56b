"""The agent: chooses the next block's action from an observation and goal pictures, and detects whether the goal is
reached.

While one block is running, the agent decides the next one, from the latent that the world model predicts for the end of
the running block. So the arm never waits for a decision. The agent uses pictures and proprioception only. Its policy
chooses the action.
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
from control.goals.arrangement import Arrangement
from control.goals.entity_marks import EntityMarker
from control.goals.goal_sequence import GoalSequence
from control.goals.going_back import GoingBack
from control.goals.hand import hand_tokens, shows_hand
from control.goals.landmarks import Graph
from control.goals.latent_goal import LatentGoal
from control.goals.moves import Move, Mover
from control.goals.token_goals import only_things, whole_picture
from control.interfaces import Policy, Situation
from control.model.trained_model import TrainedModel
from perception.evaluation.picture_errors import picture_errors
from perception.model.encoders import LocatingEncoder
from perception.model.entities.layout import layout_of
from perception.model.recent_pictures import RecentPictures
from robot.arm.interface import Vector
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError, GoalError
from robot.wire.entity_mark import EntityMark

Subgoals = Literal["none", "auto", "things"]


class Agent:
    """A decider with a world model. It pursues one or more goal pictures in order, and its policy chooses the
    actions."""

    def __init__(
        self, trained: TrainedModel, policy: Policy, config: DecisionConfig, subgoals: Subgoals = "none"
    ) -> None:
        """With `subgoals` "auto" the agent searches the model's landmarks for sub-goals on the way to a distant goal.
        With "things" it puts one thing after another in its place.

        Raises `CheckpointError` when the model then has no landmarks, or no tokens that can be left out of a goal, and
        when its sizes contradict its embodiment.
        """
        self.trained = trained
        self.policy = policy
        self._parts = trained.parts
        self._config = config
        card, embodiment = trained.card, trained.card.embodiment
        if (card.world_model.proprio, card.world_model.action) != (len(embodiment.state_names), embodiment.action.size):
            raise CheckpointError(
                "the sizes in this checkpoint's card contradict the state and the actions in it; train again"
            )
        detection = config.goal_detection
        if not policy.refines_near_goal:
            detection = msgspec.structs.replace(detection, doubting=detection.settled)
        self._detection = detection
        self._sequence: GoalSequence | Arrangement | None = None
        self._thing_by_thing = subgoals == "things"
        if self._thing_by_thing and not self.masks_goals:
            raise CheckpointError(
                "this checkpoint cannot leave things out of a goal, so --subgoals things is impossible; train again "
                "with --sizes.entities 7 --heads.masks 0.65"
            )
        limits = config.subgoals
        if subgoals == "auto" and len(self._parts.landmarks.latent) == 0:
            raise CheckpointError(
                "this checkpoint has no landmarks, so --subgoals auto is impossible; train again with "
                "--heads.landmarks above 0"
            )
        self._graph = (
            Graph(self._parts.critic, self._parts.landmarks, limits.reach, limits.per_hop)
            if subgoals == "auto"
            else None
        )
        self._searched = False
        self._previous_latent: Tensor | None = None
        self._recent = RecentPictures(self._parts.model.encoder.frames)
        self._predicted: tuple[int, LatentState] | None = None
        self._marker = EntityMarker(self._parts.model)
        remembered = self._parts.landmarks
        self._hand = hand_tokens(remembered.latent, remembered.proprio, layout_of(self._parts.model.encoder))
        self._picture: NDArray[np.uint8] | None = None

    @property
    def name(self) -> str:
        """The name in tables and messages, which is the policy's."""
        return self.policy.name

    @property
    def embodiment(self) -> EmbodimentDescription:
        """The embodiment that the model was trained with."""
        return self.trained.card.embodiment

    def set_goal(self, picture: NDArray[np.uint8]) -> None:
        """Set a single goal picture, as `set_goals` does."""
        self.set_goals([picture])

    @property
    def masks_goals(self) -> bool:
        """Whether the model has learnt to leave things out of a goal, and finds them by their names."""
        return self.trained.card.heads.masked and isinstance(self._parts.model.encoder, LocatingEncoder)

    def set_goals(self, pictures: Sequence[NDArray[np.uint8]], only: Sequence[str] = ()) -> None:
        """Set the goal pictures (H, W, 3) uint8 RGB, to be reached in this order; of each, only the things named by
        `only` matter, or all when it is empty. Reset to the initial state, so that the same seed and goals give the
        same decisions. Raises `GoalError` for a picture of the wrong size, when there is none, and as `only_things`
        does."""
        self.set_latent_goals(self.latent_goals(pictures, only), pictures)

    @torch.inference_mode()
    def latent_goals(self, pictures: Sequence[NDArray[np.uint8]], only: Sequence[str] = ()) -> list[LatentGoal]:
        """Return the goals that `set_goals` sets. Raises as it does."""
        if not pictures:
            raise GoalError("there is no goal picture; give at least one")
        for picture in pictures:
            self._require_size(picture, "goal")
        if only:
            return [only_things(self._parts.model, self.trained.card.heads, picture, only) for picture in pictures]
        return [self._whole(picture) for picture in pictures]

    def _whole(self, picture: NDArray[np.uint8]) -> LatentGoal:
        """Return the goal that all is as in `picture`: where it does not show the hand, all things in it."""
        goal = whole_picture(self._parts.model, picture)
        if not goal.things or not self.masks_goals or shows_hand(goal.latent, self._hand, goal.layout):
            return goal
        return goal.of_things(goal.things)

    def moved_goal(self, picture: NDArray[np.uint8], move: Move) -> LatentGoal:
        """Return the goal that one thing of the present `picture` is moved. Raises `GoalError` for a picture of the
        wrong size, and as `Mover.goal` does."""
        self._require_size(picture, "present")
        trained = self.trained
        return Mover(trained.parts.model, trained.card.heads, self.embodiment, trained.parts.landmarks.latent).goal(
            picture, move
        )

    def set_latent_goals(self, goals: Sequence[LatentGoal], pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Set `goals`, of each of which a picture is shown to people, as `set_goals` does."""
        self._sequence = self._arranged(goals) if self._thing_by_thing else self._new_sequence(goals)
        self._searched = False
        self._previous_latent = self._predicted = None
        self._recent.clear()
        self._marker.begin(goals, pictures)
        self.policy.begin(pictures[-1])

    @torch.inference_mode()
    def decide(self, observation: Observation, committed: Vector) -> Decision:
        """Return the decision for the next block. `committed` (A,) is the action of the running block, at whose start
        the `observation` was made.

        Raises `GoalError` without a goal, and `CameraError` when the picture of the model's camera is missing.
        """
        began = time.perf_counter()
        if self._sequence is None:
            raise GoalError("the agent has no goal; call set_goal with a picture first")
        model = self._parts.model
        self._picture = observation.picture(self.embodiment.camera.name)
        latent = model.encode_clips(self._recent.add(self._picture))
        proprio = model.normaliser(torch.from_numpy(observation.state[None].astype(np.float32)))
        expected = self._expected(observation.time_ns)
        reached = self._update_goal(latent[0], proprio[0])
        # The state in which this decision takes effect, at the end of the running block, is predicted.
        running = torch.from_numpy(committed[None].astype(np.float32))
        next_latent, next_proprio = model.predictor(latent, proprio, running, self._previous_latent)
        self._previous_latent = latent
        self._predicted = observation.time_ns, LatentState(next_latent[0], next_proprio[0])
        sequence = self._sequence
        situation = Situation(next_latent, next_proprio, latent, sequence.goal, sequence.difference)
        choice = self.policy.choose(situation)
        return Decision(
            action=np.zeros(len(committed)) if reached else self._settled(choice.action, committed),
            distance=sequence.distance,
            reached=reached,
            cost=choice.cost,
            imagined=choice.imagined,
            seconds=time.perf_counter() - began,
            remaining_subgoals=sequence.remaining,
            out_of_place=sequence.out_of_place,
            finished_subgoals=sequence.finished,
            seen=LatentState(latent[0], proprio[0]),
            expected=expected,
        )

    @torch.inference_mode()
    def look(self, observation: Observation) -> Decision | None:
        """Return the decision that the goals are reached, as `LooksFirst.look` does. Raises as `decide` does."""
        began = time.perf_counter()
        if self._sequence is None:
            raise GoalError("the agent has no goal; call set_goal with a picture first")
        model = self._parts.model
        picture = observation.picture(self.embodiment.camera.name)
        latent = model.encode(torch.from_numpy(picture[None]))[0]
        if not self._sequence.look(latent):
            return None
        return Decision(
            action=np.zeros(self.embodiment.action.size),
            distance=0.0,
            reached=True,
            cost=0.0,
            imagined=None,
            seconds=time.perf_counter() - began,
            finished_subgoals=self._sequence.finished,
        )

    @torch.inference_mode()
    def unknown(self, picture: NDArray[np.uint8]) -> str:
        """Return in what way `picture` looks like nothing that the model knows, as `LooksFirst.unknown` does."""
        known = self.trained.card.picture_errors
        if known is None:
            return ""
        errors = picture_errors(self._parts.model, self._parts.decoder, torch.from_numpy(picture[None].copy()))[
            0
        ].tolist()
        said = [
            f"its {what} from what the model draws of it is {error:.3f}, and of pictures that the model knows about "
            f"{usual.median:.3f}, at most {usual.limit:.3f}"
            for what, error, usual in zip(
                ("difference", "dissimilarity"), errors, (known.difference, known.dissimilarity), strict=True
            )
            if error > usual.limit
        ]
        return "; ".join(said)

    @torch.inference_mode()
    def draw(self, latent: Tensor) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3) uint8 RGB that the decoder draws of a latent (D,); for display only."""
        return self._parts.decoder.draw(latent[None])[0].numpy()

    def entities(self, decision: Decision) -> tuple[EntityMark, ...]:
        """Return where the things are of which `decision`, the last one, was made, as `SeesEntities.entities` does."""
        if decision.seen is None or self._picture is None or self._sequence is None:
            return ()
        return self._marker.marks(self._picture, decision.seen.latent, decision.imagined, self._sequence.goal)

    def _settled(self, action: Vector, committed: Vector) -> Vector:
        """Return `action` (A,) without the motion of the tool where the gripper turns in it, as `MotionConfig` says.
        `committed` (A,) is the action before."""
        binary = list(self.trained.card.world_model.binary)
        turns = action[binary] * committed[binary] < 0.0
        opens = turns & (action[binary] > 0.0)
        stay = self._config.motion.stay_for_gripper
        if not (stay >= 1 and opens.any()) and not (stay >= 2 and turns.any()):
            return action
        settled = np.zeros(len(action))
        settled[binary] = action[binary]
        return settled

    def _require_size(self, picture: NDArray[np.uint8], which: str) -> None:
        config = self.trained.card.world_model
        wanted = (config.height, config.width_px, 3)
        if picture.shape != wanted or picture.dtype != np.uint8:
            raise GoalError(f"the {which} picture is {picture.shape} {picture.dtype}; this model sees {wanted} uint8")

    def _expected(self, time_ns: int) -> LatentState | None:
        """Return the state predicted for an observation at `time_ns`; None unless that is one block after the last."""
        if self._predicted is None:
            return None
        before_ns, state = self._predicted
        block_ns = self.embodiment.action.block_ns
        return state if abs(time_ns - before_ns - block_ns) <= block_ns // 2 else None

    def _update_goal(self, latent: Tensor, proprio: Tensor) -> bool:
        """Advance to the next goal when the current sub-goal is reached; return whether the final goal is reached."""
        assert self._sequence is not None, "decide() has checked"
        if self._graph is not None and isinstance(self._sequence, GoalSequence) and not self._searched:
            # Sub-goals are searched at the first picture, because the start is unknown before it.
            goals = self._sequence.goals
            self._sequence = self._new_sequence([*self._graph.path(latent, proprio, goals[0]), *goals])
            self._searched = True
        return self._sequence.update(
            latent, lambda goal: float(self._parts.critic.distance(latent[None], proprio[None], *goal.repeated(1)))
        )

    def _arranged(self, goals: Sequence[LatentGoal]) -> Arrangement:
        """Return the goals on the way to the only one of `goals`. Raises `GoalError` when there are several."""
        if len(goals) > 1:
            raise GoalError(f"--subgoals things takes one goal, and there are {len(goals)}: give the last one only")
        block_change = self.trained.card.block_change
        return Arrangement(goals[0], block_change, self._config.subgoals, self._detection)

    def _new_sequence(self, goals: Sequence[LatentGoal]) -> GoalSequence:
        limits = self._config.subgoals
        block_change = self.trained.card.block_change
        going_back = GoingBack(limits, block_change) if self.masks_goals else None
        return GoalSequence(goals, block_change, limits.patience, self._detection, going_back)
