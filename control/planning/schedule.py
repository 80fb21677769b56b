"""How an agent plans, by how near its goal is: far off by what the critic says, near by what looks alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec
import torch

from control.model.trained_model import Parts, TrainedModel, quick_copy
from control.planning.objectives import (
    ActionPenalty,
    BehaviourPrior,
    CriticCost,
    LatentDistance,
    Objective,
    WeightedSum,
)
from control.planning.planner import Planner, PlannerConfig
from perception.training.world_model import compute_dtype

Method = Literal["full", "critic-only", "actor-only", "latent-distance", "latent-distance-mppi", "hold", "random"]
METHODS: tuple[Method, ...] = get_args(Method)

ACTION_WEIGHT = 0.02
# How much the way counts beside its end: with the end alone, an arm that is nearly there puts arriving off.
PATH_WEIGHT = 0.3
GRIPPER_SEARCH = PlannerConfig(
    samples=24, horizon=16, iterations=1, proposals=0.75, prior_weight=1.0, goal_distance_weight=15.0, critic_stride=4
)
"""Where a gripper is among the actions the way is long and narrow: few futures, most of them the actor's, but far
enough ahead to see a grasp through; and near to what play does, lest plans find what play never showed, such as an
empty gripper closed at the goal. A critic that counts blocks does not mind centimetres where a thing is let go; the
latents do."""
APPROACH_SEARCH = PlannerConfig(samples=96, horizon=2, iterations=4, std=0.25, min_std=0.01)
"""The last centimetres: a critic that counts blocks cannot tell them apart, and of few futures that are sixteen blocks
long none ends just there. Short ones that are refined do, and latents tell how near."""
APPROACH = 0.5
"""Of what one block changes: where a picture differs less from the goal it is approached."""
FINE = 2.0
"""Likewise, where plans are made to end alike: a thing lies nearly in place, and the critic, which takes that for a
block's work at most, would leave it."""
FINE_GOAL_DISTANCE_WEIGHT = 100.0


@dataclass(frozen=True)
class Stage:
    """What plans where a picture differs from the goal by no more than `below` times what one block changes."""

    below: float
    planner: Planner


def default_search(trained: TrainedModel, method: Method = "full") -> PlannerConfig:
    """Return how to search with a model unless told otherwise."""
    # Without proposals of the actor's there is nothing worth following far, and refining is what helps.
    return GRIPPER_SEARCH if method == "full" and trained.card.world_model.binary else PlannerConfig()


def stages(trained: TrainedModel, method: Method, config: PlannerConfig | None, seed: int) -> tuple[Stage, ...]:
    """Return the stages of `method`, the nearest first; none for methods that do not plan. `config` is the search of
    the last one, the usual one when None."""
    if method in ("hold", "random", "actor-only"):
        return ()
    usual = config or default_search(trained, method)
    # Thousands of imagined steps a decision: where bf16 is native it takes half the time or less.
    parts = quick_copy(trained.parts, compute_dtype("auto", torch.device("cpu")))
    last = Stage(math.inf, _planner(parts, method, usual, seed))
    if method != "full" or not trained.card.world_model.binary:
        return (last,)
    # Without a gripper critic and actor come as near by themselves.
    fine = msgspec.structs.replace(usual, goal_distance_weight=FINE_GOAL_DISTANCE_WEIGHT)
    approach = Planner(parts.model, LatentDistance(path=1.0), APPROACH_SEARCH, None, seed)
    return Stage(APPROACH, approach), Stage(FINE, _planner(parts, method, fine, seed)), last


def _planner(parts: Parts, method: Method, config: PlannerConfig, seed: int) -> Planner:
    if method != "full":
        config = msgspec.structs.replace(config, proposals=0.0)
    objective: Objective
    if method in ("latent-distance", "latent-distance-mppi"):
        objective = LatentDistance(path=1.0)
        if method == "latent-distance-mppi":
            config = msgspec.structs.replace(config, method="mppi")
    else:
        terms: list[tuple[float, Objective]] = [
            (1.0, CriticCost(parts.critic, PATH_WEIGHT, config.critic_stride)),
            (ACTION_WEIGHT, ActionPenalty()),
        ]
        if method == "full" and config.prior_weight > 0.0:
            terms.append((config.prior_weight, BehaviourPrior()))
        if config.goal_distance_weight > 0.0:
            terms.append((config.goal_distance_weight, LatentDistance()))
        objective = WeightedSum(terms)
    return Planner(parts.model, objective, config, parts.actor if method == "full" else None, seed)
