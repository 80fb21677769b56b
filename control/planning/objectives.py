"""The cost of a plan: a weighted sum of small objectives over an imagined rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from control.goals.latent_goal import LatentGoal
from control.policy.critic import Critic


@dataclass(frozen=True)
class Rollout:
    """S imagined futures of T blocks: `latents` (S, T, D) and scaled `proprio` (S, T, P) after each of `actions`
    (S, T, A). `prior_nll` (S, T) is each action's negative log-likelihood under the actor; None where the search does
    not use the behaviour prior."""

    latents: Tensor
    proprio: Tensor
    actions: Tensor
    prior_nll: Tensor | None = None


class Objective(Protocol):
    """The cost of each imagined future, given a goal. Smaller is better."""

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return the costs (S,) for the `goal`."""


@dataclass(frozen=True)
class LatentDistance:
    """Mean squared difference from the goal latent at the last step, plus `path` × its mean over earlier steps."""

    path: float = 0.0

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,)."""
        return _last_and_path(goal.difference(rollout.latents), self.path)


@dataclass(frozen=True)
class CriticCost:
    """Minus the critic's value at the last step, plus `path` × its mean over earlier steps. These are sampled every
    `every`-th step back from the last, because neighbouring values differ little."""

    critic: Critic
    path: float = 0.0
    every: int = 1

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,)."""
        first = (rollout.latents.shape[1] - 1) % self.every
        latents, proprio = rollout.latents[:, first :: self.every], rollout.proprio[:, first :: self.every]
        cost = -self.critic.for_goal(goal.latent, goal.wanted)(latents.flatten(0, 1), proprio.flatten(0, 1))
        return _last_and_path(cost.unflatten(0, latents.shape[:2]), self.path)


@dataclass(frozen=True)
class ActionPenalty:
    """Mean squared action; it prefers small movements."""

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,)."""
        return (rollout.actions**2).mean((-1, -2))


@dataclass(frozen=True)
class BehaviourPrior:
    """Mean negative log-likelihood of the actions under the actor (`prior_nll`); it keeps plans close to the data."""

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,). Raises `ValueError` for a rollout without `prior_nll`."""
        if rollout.prior_nll is None:
            raise ValueError("the rollout has no prior_nll; plan with a prior_weight above 0")
        return rollout.prior_nll.mean(1)


@dataclass(frozen=True)
class Disturbance:
    """How much the goal's bystanders, things that it does not ask for, are moved: the sum of their tokens' squared
    distances from where they are after the first block, at the last step."""

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,)."""
        if goal.bystanders is None:
            return torch.zeros(len(rollout.actions))
        moved = goal.layout.differences(rollout.latents[:, -1], rollout.latents[:, 0])
        return (moved * goal.bystanders).sum(-1)


@dataclass(frozen=True)
class WeightedSum:
    """The weighted sum of objectives; `terms` are (weight, objective)."""

    terms: Sequence[tuple[float, Objective]]

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        """Return costs (S,)."""
        total = torch.zeros(len(rollout.actions))
        for weight, objective in self.terms:
            total = total + weight * objective(rollout, goal)
        return total


def _last_and_path(cost: Tensor, path: float) -> Tensor:
    """Return, from costs (S, T), those of the last step plus `path` × the mean of the earlier ones, (S,)."""
    last = cost[:, -1]
    if cost.shape[1] == 1:
        return last
    return last + path * cost[:, :-1].mean(1)
