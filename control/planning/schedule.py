"""The policies that plan, each with its searches and costs: by the critic far from the goal, by the latent distance
near it."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import torch

from control.decision_config import CostConfig, DecisionConfig, SearchConfig
from control.model.trained_model import Parts, TrainedModel, quick_copy
from control.planning.objectives import (
    ActionPenalty,
    BehaviourPrior,
    CriticCost,
    LatentDistance,
    Objective,
    WeightedSum,
)
from control.planning.planner import Planner
from control.planning.planner_policy import PlannerPolicy, Stage
from control.policy.actor import Actor
from perception.training.world_model import compute_dtype


def full(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans with critic, actor and model, in stages where the configuration has them."""
    parts, costs, stages = _quick(trained), config.costs, config.stages
    made: list[Stage] = []
    if stages.approach_below > 0.0:
        nearness = LatentDistance(costs.goal_distance_path_weight)
        made.append(Stage(stages.approach_below, Planner(parts.model, nearness, stages.approach_search, None, seed)))
    if stages.fine_below > 0.0:
        fine = msgspec.structs.replace(costs, goal_distance_weight=stages.fine_goal_distance_weight)
        made.append(Stage(stages.fine_below, _by_critic(parts, config.search, fine, parts.actor, seed)))
    made.append(Stage(math.inf, _by_critic(parts, config.search, costs, parts.actor, seed)))
    return PlannerPolicy("full", made, trained.card.block_change)


def critic_only(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans without the actor, by what the critic says alone."""
    costs = msgspec.structs.replace(config.costs, prior_weight=0.0, goal_distance_weight=0.0)
    planner = _by_critic(_quick(trained), config.unguided_search, costs, None, seed)
    return PlannerPolicy("critic-only", [Stage(math.inf, planner)], trained.card.block_change)


def latent_distance(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans to come near the goal's latent, by the cross-entropy method."""
    return _by_distance("latent-distance", "cem", trained, config, seed)


def latent_distance_mppi(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans to come near the goal's latent, by MPPI."""
    return _by_distance("latent-distance-mppi", "mppi", trained, config, seed)


def _quick(trained: TrainedModel) -> Parts:
    # Thousands of imagined steps a decision: where bf16 is native it takes half the time or less.
    return quick_copy(trained.parts, compute_dtype("auto", torch.device("cpu")))


def _by_critic(parts: Parts, search: SearchConfig, costs: CostConfig, actor: Actor | None, seed: int) -> Planner:
    terms: list[tuple[float, Objective]] = [
        (1.0, CriticCost(parts.critic, costs.path_weight, search.critic_stride)),
        (costs.action_weight, ActionPenalty()),
    ]
    asks_prior = costs.prior_weight > 0.0
    if asks_prior:
        terms.append((costs.prior_weight, BehaviourPrior()))
    if costs.goal_distance_weight > 0.0:
        terms.append((costs.goal_distance_weight, LatentDistance()))
    return Planner(parts.model, WeightedSum(terms), search, actor, seed, asks_prior)


def _by_distance(
    name: str, method: Literal["cem", "mppi"], trained: TrainedModel, config: DecisionConfig, seed: int
) -> PlannerPolicy:
    search = msgspec.structs.replace(config.unguided_search, method=method)
    nearness = LatentDistance(config.costs.goal_distance_path_weight)
    planner = Planner(_quick(trained).model, nearness, search, None, seed)
    return PlannerPolicy(name, [Stage(math.inf, planner)], trained.card.block_change)
