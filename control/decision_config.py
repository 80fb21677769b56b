"""Every setting of planning and of goal detection.

Training writes the defaults to the checkpoint's card. A setting that a card lacks is taken from
`default_decision_config`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from robot.errors import ConfigurationError, SettingError

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Weight = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]
Count = Annotated[int, Meta(ge=1)]
MOST_SAMPLES = 65_536
"""A thousand times the usual; a card asks for no more memory than these futures take."""
MOST_BLOCKS = 1024
"""Blocks of a future: minutes of motion."""
MOST_ITERATIONS = 1024
"""A search of these many rounds takes seconds, more than any block."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of settings. Each value must fit its field's annotation and be finite, which the constructor checks."""

    def __post_init__(self) -> None:
        """Raise `SettingError`, which names the setting, for an invalid value."""
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            option = field.name.replace("_", "-")
            try:
                msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                raise SettingError(f"{option} is {value!r}: {str(error).lower()}") from error
            if isinstance(value, float) and not math.isfinite(value):
                raise SettingError(f"{option} is {value}: it must be finite")


class SearchConfig(Settings, frozen=True):
    """A search: `iterations` times, `samples` sequences of `horizon` blocks are drawn, scored and refitted.

    `elites` is the share of samples to which CEM refits; `temperature` is used by MPPI only. `std` is the initial
    standard deviation, and `min_std` its lower bound. `proposals` is the share of samples that the actor proposes, if
    the search has an actor. The critic scores every `critic_stride`-th block. Binary entries of an action are drawn
    with probabilities that stay at least `min_std` / 2 away from 0 and 1.
    """

    method: Literal["cem", "mppi"] = "cem"
    samples: Annotated[int, Meta(ge=4, le=MOST_SAMPLES)] = 64
    horizon: Annotated[int, Meta(ge=1, le=MOST_BLOCKS)] = 6
    iterations: Annotated[int, Meta(ge=1, le=MOST_ITERATIONS)] = 2
    elites: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.1
    temperature: Positive = 0.1
    std: Positive = 0.6
    min_std: Positive = 0.05
    proposals: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5
    critic_stride: Count = 1

    def __post_init__(self) -> None:
        """Raise `SettingError` for an invalid value, and where `proposals` leaves fewer than two other samples."""
        super().__post_init__()
        if round(self.samples * self.proposals) > self.samples - 2:
            raise SettingError(
                f"proposals is {self.proposals}: of {self.samples} samples that leaves fewer than 2 to the search"
            )


class CostConfig(Settings, frozen=True):
    """Weights of the terms in the cost of a plan. The critic's value at the plan's end has the weight 1.

    `action_weight`: the mean squared action. `path_weight`: the critic's mean value before the plan's end; without it
    the planner postpones the last part of the motion. `prior_weight`: the behaviour prior, the actor's negative
    log-likelihood of the plan. `goal_distance_weight`: the latent distance from the plan's end to the goal.
    `goal_distance_path_weight`: the latent distance before the plan's end, relative to that at the end; used only by
    searches that score the latent distance alone. `disturbance_weight`: how far the plan moves things that the goal
    does not ask for.
    """

    action_weight: Weight = 0.02
    path_weight: Weight = 0.3
    prior_weight: Weight = 0.0
    goal_distance_weight: Weight = 0.0
    goal_distance_path_weight: Weight = 1.0
    disturbance_weight: Weight = 0.0


APPROACH_SEARCH = SearchConfig(samples=96, horizon=2, iterations=4, std=0.25, min_std=0.01)
"""Search settings for the last centimetres. The critic counts blocks, so it does not resolve centimetres, and none of a
few 16-block futures ends exactly at the goal. Short, refined futures do, scored by latent distance."""


class StageConfig(Settings, frozen=True):
    """The stages of planning near the goal. They begin where the difference between the newest picture and the goal
    falls to a multiple of `block_change`, the change by one block that the checkpoint's card stores.

    Up to `approach_below` × `block_change`, plans are searched with `approach_search` and scored by the latent distance
    alone. Up to `fine_below` × `block_change`, an object is almost in place; the critic rates this as at most one block
    away and would not correct it, so `fine_goal_distance_weight` is used in place of `goal_distance_weight`. 0 disables
    a stage.
    """

    approach_below: Weight = 0.0
    approach_search: SearchConfig = APPROACH_SEARCH
    fine_below: Weight = 0.0
    fine_goal_distance_weight: Weight = 100.0


class GoalDetectionConfig(Settings, frozen=True):
    """When a goal counts as reached. The difference is that between the newest picture and the goal.

    `progress`: a difference below this share of the smallest so far counts as progress.
    `settled`: the number of pictures in a row that must show no progress.
    `doubting`: the same, when the difference exceeds `sure` × `block_change`, for a policy that refines near the goal.
    `sure`: a motion of the arm by 2 cm makes a difference above `sure` × `block_change`.
    `near`: the largest distance, in blocks, by the critic. At a goal that is reached, the critic's median distance is
    half a block, and its 90th percentile two and a half.
    `same_place`: with entities, how far apart in the pictures a thing may be from where it is wanted and still be in
    its place, where a picture is 4 wide: 0.1 is about 1 cm on the tabletop.
    """

    progress: Share = 0.7
    settled: Count = 2
    doubting: Count = 2
    sure: Share = 0.06
    near: Positive = 3.0
    same_place: Positive = 0.2


class SubgoalConfig(Settings, frozen=True):
    """How sub-goals are followed and found.

    `patience`: a sub-goal that is not reached after this number of blocks is skipped; of things that are pursued one
    after another, one that the critic sees come no nearer for so long. `placed_after`: a thing must be in its place in
    this number of pictures in a row before another one is pursued. `reach`: above this critic distance, in blocks,
    sub-goals are searched. `per_hop`: the extra cost, in blocks, of each sub-goal.

    `left_after`, `left_near` and `left_below`: with masked entity tokens, a thing that is out of its place in this
    number of pictures in a row, while the critic sees less than this number of blocks to the goal, or the difference is
    below this multiple of `block_change`, becomes the only goal until it is in its place. Of 40 development goals, 39
    instead of 38 were then reached.
    """

    patience: Count = 30
    reach: Positive = 12.0
    per_hop: Weight = 1.0
    placed_after: Count = 3
    left_after: Count = 3
    left_near: Positive = 3.0
    left_below: Positive = 1.0


class MotionConfig(Settings, frozen=True):
    """What becomes of a chosen action. `stay_for_gripper`: the tool stays where it is in a block in which the gripper
    turns to opening (1) or also to closing (2); 0 for neither. A hand that rises while it opens takes the thing along
    and drops it. Scripted play stays too."""

    stay_for_gripper: Annotated[int, Meta(ge=0, le=2)] = 0


class DecisionConfig(Settings, frozen=True):
    """How an agent decides. `search` holds the settings of the method full, `unguided_search` those of the methods
    that plan without the actor. Without an actor a long horizon does not help; more refinement does."""

    search: SearchConfig = SearchConfig()
    unguided_search: SearchConfig = SearchConfig()
    costs: CostConfig = CostConfig()
    stages: StageConfig = StageConfig()
    goal_detection: GoalDetectionConfig = GoalDetectionConfig()
    subgoals: SubgoalConfig = SubgoalConfig()
    motion: MotionConfig = MotionConfig()


WITH_GRIPPER = DecisionConfig(
    search=SearchConfig(samples=24, horizon=16, iterations=1, proposals=0.75, critic_stride=4),
    costs=CostConfig(prior_weight=1.0, goal_distance_weight=15.0),
    stages=StageConfig(approach_below=0.5, fine_below=2.0),
    goal_detection=GoalDetectionConfig(doubting=6),
)
"""Defaults for actions with a gripper. Grasping needs a long horizon, so the search uses few futures, mostly from the
actor. The behaviour prior keeps plans close to play, so that they do not use what play never showed, such as closing an
empty gripper at the goal. The critic does not resolve to the centimetre where an object is released; the latent
distance does. Without a gripper neither term is needed."""


FINE_WEIGHT_OF_ENTITIES = 15.0
"""With entities the difference from the goal is one of places. A larger weight draws the hand to where the goal shows
it before the last thing is in its place: 35 in place of 37 of 40 development goals with 100."""

NEAR_OF_ENTITIES = 8.0
DOUBTING_OF_ENTITIES = 4
"""With entities each thing must be in its place in any case. The critic also counts how far the hand is from where the
goal shows it, so it may say more blocks, and fewer pictures without progress are enough: of 40 development goals, 37
instead of 35 were reported as reached, all correctly."""

SAMPLES_OF_ENTITIES, HORIZON_OF_ENTITIES = 16, 12
"""Token by token a step costs more than with a flat latent, and fewer of them do as well: of 40 development goals, 39
were reached with either, in two thirds of the time."""

DISTURBANCE_OF_ENTITIES = 15.0
"""Of 24 development goals to rearrange three things, 13 in place of 12 were reached and 12 in place of 8 reported; the
median of the largest distance at the end was 3 cm in place of 9."""

STAY_OF_ENTITIES = 2
"""Of 24 development goals to rearrange three things, 16 in place of 13 were reached; of 30 towers, 24 in place of 21
reported and standing at the end."""


def default_decision_config(has_binary_actions: bool, has_entities: bool = False) -> DecisionConfig:
    """Return the settings used unless a card or an option gives others. `has_binary_actions`: whether any entry of an
    action is binary, such as a gripper's. `has_entities`: whether the latent consists of tokens."""
    config = WITH_GRIPPER if has_binary_actions else DecisionConfig()
    if not has_entities:
        return config
    stages = msgspec.structs.replace(config.stages, fine_goal_distance_weight=FINE_WEIGHT_OF_ENTITIES)
    doubting = min(config.goal_detection.doubting, DOUBTING_OF_ENTITIES)
    detection = msgspec.structs.replace(config.goal_detection, near=NEAR_OF_ENTITIES, doubting=doubting)
    costs = msgspec.structs.replace(config.costs, disturbance_weight=DISTURBANCE_OF_ENTITIES)
    search = config.search
    if has_binary_actions:  # without a gripper the horizon is shorter anyway
        search = msgspec.structs.replace(search, samples=SAMPLES_OF_ENTITIES, horizon=HORIZON_OF_ENTITIES)
    motion = MotionConfig(STAY_OF_ENTITIES)
    return msgspec.structs.replace(
        config, search=search, costs=costs, stages=stages, goal_detection=detection, motion=motion
    )


def with_changes(config: DecisionConfig, changes: Mapping[str, Any]) -> DecisionConfig:
    """Return `config` with nested `changes`, by field name. Raises `ConfigurationError`, which names the option, for an
    invalid value or an unknown name."""
    try:
        return msgspec.convert(_merged(msgspec.to_builtins(config), changes), DecisionConfig)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$.")
        option = f"--decision.{path.rstrip('`').replace('_', '-')}" if path else "--decision"
        raise ConfigurationError(f"{option}: {said}") from error


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged
