"""The table of policies: every method by which an agent can decide, by its name in `--method`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

from control.agent import Agent, Subgoals
from control.baselines.actor import ActorPolicy
from control.baselines.hold import HoldPolicy
from control.baselines.random import RandomPolicy
from control.decision_config import DecisionConfig
from control.interfaces import Policy
from control.model.trained_model import TrainedModel
from control.planning.schedule import (
    make_critic_only_policy,
    make_full_policy,
    make_latent_distance_mppi_policy,
    make_latent_distance_policy,
)

Method = Literal["full", "critic-only", "actor-only", "latent-distance", "latent-distance-mppi", "hold", "random"]
METHODS: tuple[Method, ...] = get_args(Method)

MakePolicy = Callable[[TrainedModel, DecisionConfig, int], Policy]
"""(model, configuration, seed) → policy."""

POLICIES: Mapping[Method, MakePolicy] = MappingProxyType(
    {
        "full": make_full_policy,
        "critic-only": make_critic_only_policy,
        "actor-only": lambda trained, config, seed: ActorPolicy(trained.parts),
        "latent-distance": make_latent_distance_policy,
        "latent-distance-mppi": make_latent_distance_mppi_policy,
        "hold": lambda trained, config, seed: HoldPolicy(trained.card.world_model.action),
        "random": lambda trained, config, seed: RandomPolicy(trained.card.world_model.action, seed),
    }
)


def make_agent(
    trained: TrainedModel,
    method: Method = "full",
    seed: int = 0,
    config: DecisionConfig | None = None,
    subgoals: Subgoals = "none",
) -> Agent:
    """Return an agent that decides by `method` with the model `trained`. `config` is None for the settings in the
    model's card.

    Raises `CheckpointError` as `Agent` does.
    """
    chosen = trained.decision_config if config is None else config
    return Agent(trained, POLICIES[method](trained, chosen, seed), chosen, subgoals)
