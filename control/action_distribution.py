"""How likely actions are: some entries Gaussian, others one of two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class ActionDistribution:
    """B independent distributions over actions (A,).

    `mean` and `log_spread` (B, A) are those of the Gaussian entries; where `binary` (A,) is true the entry is 1 with
    probability sigmoid(`logits`) (B, A), and else −1.
    """

    mean: Tensor
    log_spread: Tensor
    logits: Tensor
    binary: Tensor

    def mode(self) -> Tensor:
        """Return the likeliest actions (B, A)."""
        return torch.where(self.binary, signs(self.logits), self.mean)

    def sample(self, rng: torch.Generator) -> Tensor:
        """Return actions (B, A) drawn at random, within [−1, 1]."""
        noise = torch.randn(self.mean.shape, generator=rng)
        drawn = (self.mean + self.log_spread.exp() * noise).clamp(-1.0, 1.0)
        if not bool(self.binary.any()):
            return drawn
        chance = torch.rand(self.mean.shape, generator=rng)
        return torch.where(self.binary, signs(torch.sigmoid(self.logits) - chance), drawn)

    def negative_log_likelihood(self, action: Tensor) -> Tensor:
        """Return −log π(action) (B,), summed over the entries. A binary entry that is 0 chose nothing and costs
        nothing."""
        scaled = (action - self.mean) * torch.exp(-self.log_spread)
        gaussian = 0.5 * scaled**2 + self.log_spread + 0.5 * math.log(2 * math.pi)
        bernoulli = action.abs() * functional.softplus(-action.sign() * self.logits)
        return torch.where(self.binary, bernoulli, gaussian).sum(-1)


def signs(values: Tensor) -> Tensor:
    """Return 1 where `values` are 0 or more, and −1 elsewhere."""
    return torch.where(values >= 0, 1.0, -1.0)
