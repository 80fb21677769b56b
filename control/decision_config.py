"""Every constant that decides how an agent plans and when it says that a goal is reached.

The defaults stand in a checkpoint's card. `default_decision` holds those of cards that name none.
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


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of settings that checks itself: each value must fit its field's annotation and be finite."""

    def __post_init__(self) -> None:
        """Raise `SettingError`, naming the setting."""
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
    """A search: `samples` sequences of `horizon` blocks, refitted `iterations` times.

    `elites` is the share kept by CEM and `temperature` MPPI's; `std` the first standard deviation and `min_std` the
    smallest; `proposals` the share of samples that the actor draws, where it proposes. The critic scores one block in
    `critic_stride`. Binary entries of an action are drawn by chance, never nearer to certain than `min_std`.
    """

    method: Literal["cem", "mppi"] = "cem"
    samples: Annotated[int, Meta(ge=4)] = 64
    horizon: Count = 6
    iterations: Count = 2
    elites: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.1
    temperature: Positive = 0.1
    std: Positive = 0.6
    min_std: Positive = 0.05
    proposals: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5
    critic_stride: Count = 1

    def __post_init__(self) -> None:
        """Raise `SettingError` for a search that cannot be made."""
        super().__post_init__()
        if round(self.samples * self.proposals) > self.samples - 2:
            raise SettingError(
                f"proposals is {self.proposals}: of {self.samples} samples that leaves fewer than 2 to the search"
            )


class CostConfig(Settings, frozen=True):
    """Weights in the cost of a plan, beside the critic's value at its end, whose weight is 1.

    `action_weight` is that of the mean squared action. `path_weight` is that of the critic's mean value before the
    end: with the end alone, an arm that is nearly there puts arriving off. `prior_weight` is that of the behaviour
    prior, the actor's negative log-likelihood of the plan, and `goal_distance_weight` that of the latent distance from
    the plan's end to the goal. `goal_distance_path_weight` is that of the distance before the end, relative to the end,
    in searches that score the latent distance alone.
    """

    action_weight: Weight = 0.02
    path_weight: Weight = 0.3
    prior_weight: Weight = 0.0
    goal_distance_weight: Weight = 0.0
    goal_distance_path_weight: Weight = 1.0


APPROACH_SEARCH = SearchConfig(samples=96, horizon=2, iterations=4, std=0.25, min_std=0.01)
"""The last centimetres: a critic that counts blocks cannot tell them apart, and of few futures that are sixteen blocks
long none ends just there. Short ones that are refined do, and latents tell how near."""


class StageConfig(Settings, frozen=True):
    """How plans change near the goal, measured by what one block changes (the card's `block_change`).

    A picture that differs from the goal by no more than `approach_below` times that is approached by the latent
    distance alone, with `approach_search`. By no more than `fine_below` times, a thing lies nearly in place; the
    critic, which takes that for a block's work at most, would leave it, so `fine_goal_distance_weight` replaces the
    goal-distance weight. 0 leaves a stage out.
    """

    approach_below: Weight = 0.0
    approach_search: SearchConfig = APPROACH_SEARCH
    fine_below: Weight = 0.0
    fine_goal_distance_weight: Weight = 100.0


class GoalDetectionConfig(Settings, frozen=True):
    """When a goal counts as reached.

    A picture that differs from the goal by less than `progress` times the best one before shows an arm on its way.
    `settled` is how many pictures in a row must show no progress; while there is doubt, `doubting` for an agent that
    approaches. A picture that differs by no more than `sure` times what one block changes leaves no doubt: what moves
    the arm by two centimetres changes more. Beyond `near` blocks, by the critic, no goal is reached; where one is, the
    critic says half a block, and nine times in ten no more than two and a half.
    """

    progress: Share = 0.7
    settled: Count = 2
    doubting: Count = 2
    sure: Share = 0.06
    near: Positive = 3.0


class SubgoalConfig(Settings, frozen=True):
    """How sub-goals are followed and found: one that is not reached in `patience` blocks is given up for the next;
    beyond `reach` blocks the critic is not asked how far something is, but a way of sub-goals is searched, where each
    costs `per_hop` blocks beside its edge."""

    patience: Count = 30
    reach: Positive = 12.0
    per_hop: Weight = 1.0


class DecisionConfig(Settings, frozen=True):
    """How an agent decides. `search` is that of the method full, `unguided_search` that of methods that plan without
    the actor: they have nothing worth following far, and refining is what helps."""

    search: SearchConfig = SearchConfig()
    unguided_search: SearchConfig = SearchConfig()
    costs: CostConfig = CostConfig()
    stages: StageConfig = StageConfig()
    goal_detection: GoalDetectionConfig = GoalDetectionConfig()
    subgoals: SubgoalConfig = SubgoalConfig()


WITH_GRIPPER = DecisionConfig(
    search=SearchConfig(samples=24, horizon=16, iterations=1, proposals=0.75, critic_stride=4),
    costs=CostConfig(prior_weight=1.0, goal_distance_weight=15.0),
    stages=StageConfig(approach_below=0.5, fine_below=2.0),
    goal_detection=GoalDetectionConfig(doubting=6),
)
"""Where a gripper is among the actions the way is long and narrow: few futures, most of them the actor's, but far
enough ahead to see a grasp through; and near to what play does, so that plans do not find what play never showed, such
as an empty gripper closed at the goal. A critic that counts blocks does not mind centimetres where a thing is let go;
the latents do. Without a gripper critic and actor come as near by themselves."""


def default_decision(binary: bool) -> DecisionConfig:
    """Return how an agent decides unless a card or an option says otherwise; `binary`: some actions are, as a
    gripper's."""
    return WITH_GRIPPER if binary else DecisionConfig()


def changed(config: DecisionConfig, changes: Mapping[str, Any]) -> DecisionConfig:
    """Return `config` with nested `changes`, by field name. Raises `ConfigurationError`, naming the option, for a
    value that cannot be and for a name that is none."""
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
