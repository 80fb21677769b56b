"""What a plan costs: small objectives over an imagined rollout, which add and scale into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from control.actor import Actor
from control.arrival import difference
from control.critic import Critic


@dataclass(frozen=True)
class Rollout:
    """S imagined futures of T blocks: `latents` (S, T, D) and scaled `proprio` (S, T, P) after each of `actions`
    (S, T, A); `start_latent` (D,) and `start_proprio` (P,) are where all begin."""

    start_latent: Tensor
    start_proprio: Tensor
    latents: Tensor
    proprio: Tensor
    actions: Tensor


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
    """Minus the critic's value at the last step, plus `path` times the mean over earlier ones."""

    critic: Critic
    path: float = 0.0

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        samples, steps = rollout.latents.shape[:2]
        cost = -self.critic(
            rollout.latents.flatten(0, 1), rollout.proprio.flatten(0, 1), goal.expand(samples * steps, -1)
        )
        return _last_and_path(cost.unflatten(0, (samples, steps)), self.path)


@dataclass(frozen=True)
class ActionPenalty:
    """Mean squared action: prefers small movements."""

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        return (rollout.actions**2).mean((-1, -2))


@dataclass(frozen=True)
class Unfamiliarity:
    """Mean negative log-likelihood of the actions under the actor: keeps plans near what the data does."""

    actor: Actor

    def __call__(self, rollout: Rollout, goal: Tensor) -> Tensor:
        """Return costs (S,)."""
        samples, steps = rollout.actions.shape[:2]
        latents = torch.cat([rollout.start_latent.expand(samples, 1, -1), rollout.latents[:, :-1]], dim=1)
        proprio = torch.cat([rollout.start_proprio.expand(samples, 1, -1), rollout.proprio[:, :-1]], dim=1)
        likely = self.actor(latents.flatten(0, 1), proprio.flatten(0, 1), goal.expand(samples * steps, -1))
        cost = likely.negative_log_likelihood(rollout.actions.flatten(0, 1))
        return cost.unflatten(0, (samples, steps)).mean(1)


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
