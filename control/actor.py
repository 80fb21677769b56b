"""The actor: what play did next when it later arrived at this goal picture (hindsight behaviour cloning)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from control.perceptron import Perceptron

LOG_SPREAD = (-3.0, 0.5)


class Actor(nn.Module):
    """A diagonal Gaussian over actions for (latent, scaled proprio, goal latent)."""

    def __init__(self, latent: int, proprio: int, action: int) -> None:
        super().__init__()
        self.body = Perceptron(2 * latent + proprio, 2 * action)

    def forward(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log standard deviation (B, A) each."""
        mean, log_spread = self.body(torch.cat([latent, proprio, goal], dim=-1)).chunk(2, dim=-1)
        return torch.tanh(mean), log_spread.clamp(*LOG_SPREAD)

    def negative_log_likelihood(self, latent: Tensor, proprio: Tensor, goal: Tensor, action: Tensor) -> Tensor:
        """Return −log π(action) (B,), summed over the action's entries."""
        mean, log_spread = self(latent, proprio, goal)
        scaled = (action - mean) * torch.exp(-log_spread)
        return (0.5 * scaled**2 + log_spread + 0.5 * math.log(2 * math.pi)).sum(-1)


class ActorLoss(nn.Module):
    """The actor in training, each example weighted by how much better than expected it turned out
    (advantage-weighted regression, Peng et al. 2019); `batch["advantage"]` comes from the trained critic."""

    def __init__(self, actor: Actor, temperature: float) -> None:
        super().__init__()
        self.actor = actor
        self.temperature = temperature

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted negative log-likelihood of `action` (B, A)."""
        cost = self.actor.negative_log_likelihood(batch["latent"], batch["proprio"], batch["goal"], batch["action"])
        weight = torch.exp(self.temperature * batch["advantage"]).clamp(max=10.0)
        return {"loss": (weight * cost).mean() / weight.mean(), "plain": cost.mean()}
