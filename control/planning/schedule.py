"""Makes the policies that plan, each with its searches and costs. The full method scores plans by the critic far from
the goal, and by the latent distance near it."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import torch

from control.decision_config import CostConfig, DecisionConfig, SearchConfig
from control.model.trained_model import Parts, TrainedModel, fast_copy
from control.planning.objectives import (
    ActionPenalty,
    BehaviourPrior,
    CriticCost,
    Disturbance,
    LatentDistance,
    Objective,
    WeightedSum,
)
from control.planning.planner import Planner
from control.planning.planner_policy import PlannerPolicy, Stage
from control.policy.actor import Actor
from perception.training.world_model import compute_dtype


def make_full_policy(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans with model, critic and actor, in the stages that `config` enables."""
    parts, costs, stages = _fast_parts(trained), config.costs, config.stages
    made: list[Stage] = []
    if stages.approach_below > 0.0:
        nearness = LatentDistance(costs.goal_distance_path_weight)
        made.append(Stage(stages.approach_below, Planner(parts.model, nearness, stages.approach_search, None, seed)))
    if stages.fine_below > 0.0:
        fine = msgspec.structs.replace(costs, goal_distance_weight=stages.fine_goal_distance_weight)
        made.append(Stage(stages.fine_below, _by_critic(parts, config.search, fine, parts.actor, seed)))
    made.append(Stage(math.inf, _by_critic(parts, config.search, costs, parts.actor, seed)))
    return PlannerPolicy("full", made, trained.card.block_change)


def make_critic_only_policy(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that plans without the actor and scores plans by the critic and the action penalty."""
    costs = msgspec.structs.replace(config.costs, prior_weight=0.0, goal_distance_weight=0.0)
    planner = _by_critic(_fast_parts(trained), config.unguided_search, costs, None, seed)
    return PlannerPolicy("critic-only", [Stage(math.inf, planner)], trained.card.block_change)


def make_latent_distance_policy(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that minimises the latent distance to the goal by the cross-entropy method."""
    return _by_distance("latent-distance", "cem", trained, config, seed)


def make_latent_distance_mppi_policy(trained: TrainedModel, config: DecisionConfig, seed: int) -> PlannerPolicy:
    """Return the policy that minimises the latent distance to the goal by MPPI."""
    return _by_distance("latent-distance-mppi", "mppi", trained, config, seed)


def _fast_parts(trained: TrainedModel) -> Parts:
    # A decision imagines thousands of steps. On a CPU with native bf16 this halves the time of a flat latent's, or
    # better. A token's matrices are so small that bf16 only slows down what is between the products: by a quarter.
    small = trained.card.world_model.entities > 0
    return fast_copy(trained.parts, torch.float32 if small else compute_dtype("auto", torch.device("cpu")))


def _by_critic(parts: Parts, search: SearchConfig, costs: CostConfig, actor: Actor | None, seed: int) -> Planner:
    terms: list[tuple[float, Objective]] = [
        (1.0, CriticCost(parts.critic, costs.path_weight, search.critic_stride)),
        (costs.action_weight, ActionPenalty()),
    ]
    use_prior = costs.prior_weight > 0.0
    if use_prior:
        terms.append((costs.prior_weight, BehaviourPrior()))
    if costs.goal_distance_weight > 0.0:
        terms.append((costs.goal_distance_weight, LatentDistance()))
    if costs.disturbance_weight > 0.0:
        terms.append((costs.disturbance_weight, Disturbance()))
    return Planner(parts.model, WeightedSum(terms), search, actor, seed, use_prior)


def _by_distance(
    name: str, method: Literal["cem", "mppi"], trained: TrainedModel, config: DecisionConfig, seed: int
) -> PlannerPolicy:
    search = msgspec.structs.replace(config.unguided_search, method=method)
    nearness = LatentDistance(config.costs.goal_distance_path_weight)
    planner = Planner(_fast_parts(trained).model, nearness, search, None, seed)
    return PlannerPolicy(name, [Stage(math.inf, planner)], trained.card.block_change)
