"""What a plan costs: small objectives over an imagined rollout, which add and scale into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from control.goals.goal_detector import difference
from control.policy.critic import Critic


@dataclass(frozen=True)
class Rollout:
    """S imagined futures of T blocks: `latents` (S, T, D) and scaled `proprio` (S, T, P) after each of `actions`
    (S, T, A). `prior_nll` (S, T) is minus the log-likelihood of each under the actor, where that was asked for."""

    latents: Tensor
    proprio: Tensor
    actions: Tensor
    prior_nll: Tensor | None = None


class Objective(Protocol):
    """The cost of each future for a goal latent: smaller is better."""

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,) for the goal (D,)."""


@dataclass(frozen=True)
class LatentDistance:
    """Squared distance to the goal latent at the last step, plus `path` times the mean over earlier ones."""

    path: float = 0.0

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        return _last_and_path(difference(rollout.latents, goal), self.path)


@dataclass(frozen=True)
class CriticCost:
    """Minus the critic's value at the last step, plus `path` times the mean over earlier ones: over one in `every`,
    counted back from the last, for values change little from one to the next."""

    critic: Critic
    path: float = 0.0
    every: int = 1

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        first = (rollout.latents.shape[1] - 1) % self.every
        latents, proprio = rollout.latents[:, first :: self.every], rollout.proprio[:, first :: self.every]
        cost = -self.critic.towards(goal)(latents.flatten(0, 1), proprio.flatten(0, 1))
        return _last_and_path(cost.unflatten(0, latents.shape[:2]), self.path)


@dataclass(frozen=True)
class ActionPenalty:
    """Mean squared action: prefers small movements."""

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        return (rollout.actions**2).mean((-1, -2))


@dataclass(frozen=True)
class BehaviourPrior:
    """Mean prior_nll at the actions: keeps plans near what the data does."""

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,). Raises `ValueError` for a rollout without `prior_nll`."""
        if rollout.prior_nll is None:
            raise ValueError("the rollout has no prior_nll; plan with a prior_weight above 0")
        return rollout.prior_nll.mean(1)


@dataclass(frozen=True)
class WeightedSum:
    """Objectives added up, each with its weight."""

    terms: Sequence[tuple[float, Objective]]

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        total = torch.zeros(len(rollout.actions))
        for weight, objective in self.terms:
            total = total + weight * objective(rollout, goal)
        return total


def _last_and_path(cost: Tensor, path: float) -> Tensor:
    """Weigh costs (S, T) as the last step's plus `path` × the mean of the earlier ones."""
    last = cost[:, -1]
    if cost.shape[1] == 1:
        return last
    return last + path * cost[:, :-1].mean(1)
