"""The table of policies: every way of deciding that a checkpoint offers, by the name that `--method` takes."""

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
from control.planning.schedule import critic_only, full, latent_distance, latent_distance_mppi

Method = Literal["full", "critic-only", "actor-only", "latent-distance", "latent-distance-mppi", "hold", "random"]
METHODS: tuple[Method, ...] = get_args(Method)

MakePolicy = Callable[[TrainedModel, DecisionConfig, int], Policy]
"""(model, configuration, seed) → policy."""

POLICIES: Mapping[Method, MakePolicy] = MappingProxyType(
    {
        "full": full,
        "critic-only": critic_only,
        "actor-only": lambda trained, config, seed: ActorPolicy(trained.parts),
        "latent-distance": latent_distance,
        "latent-distance-mppi": latent_distance_mppi,
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
    """Return an agent of the model that decides by `method`; without a `config` as the model's card says.

    Raises what `Agent` raises.
    """
    chosen = trained.decision if config is None else config
    return Agent(trained, POLICIES[method](trained, chosen, seed), chosen, subgoals)
