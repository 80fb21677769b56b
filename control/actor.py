"""The actor: what play did next when it later arrived at this goal picture (hindsight behaviour cloning)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from control.action_distribution import ActionDistribution
from control.perceptron import Perceptron

LOG_SPREAD = (-3.0, 0.5)


class Actor(nn.Module):
    """A distribution over actions for (latent, scaled proprio, goal latent): Gaussian, and Bernoulli for the `binary`
    entries, since the mean of an open and a closed gripper grasps nothing."""

    binary: Tensor

    def __init__(self, latent: int, proprio: int, action: int, binary: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.body = Perceptron(2 * latent + proprio, 2 * action)
        self.register_buffer("binary", torch.tensor([i in binary for i in range(action)]), persistent=False)

    def forward(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> ActionDistribution:
        """Return the distribution of B actions."""
        raw, log_spread = self.body(torch.cat([latent, proprio, goal], dim=-1)).chunk(2, dim=-1)
        return ActionDistribution(torch.tanh(raw), log_spread.clamp(*LOG_SPREAD), raw, self.binary)


class ActorLoss(nn.Module):
    """The actor in training, each example weighted by how much better than expected it turned out
    (advantage-weighted regression, Peng et al. 2019); `batch["advantage"]` comes from the trained critic."""

    def __init__(self, actor: Actor, temperature: float) -> None:
        super().__init__()
        self.actor = actor
        self.temperature = temperature

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted negative log-likelihood of `action` (B, A)."""
        cost = self.actor(batch["latent"], batch["proprio"], batch["goal"]).negative_log_likelihood(batch["action"])
        weight = torch.exp(self.temperature * batch["advantage"]).clamp(max=10.0)
        return {"loss": (weight * cost).mean() / weight.mean(), "plain": cost.mean()}
