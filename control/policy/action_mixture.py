"""A probability distribution over actions: a mixture whose components are Gaussian in some entries, binary in others.

In play, an arm over an object may grasp it, push it or leave. The mean of the three is none of them, so each gets a
component of its own (Bishop, "Mixture density networks", 1994).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class ActionDistribution:
    """B independent distributions over actions (A,), each a mixture of K components whose probabilities are the softmax
    of `weights` (B, K).

    `mean` and `log_std` (B, K, A) describe the Gaussian entries. An entry where `binary` (A,) is true is 1 with
    probability sigmoid(`logits`) (B, K, A), and otherwise −1.
    """

    weights: Tensor
    mean: Tensor
    log_std: Tensor
    logits: Tensor
    binary: Tensor

    def last(self, count: int) -> ActionDistribution:
        """Return the last `count` of the B distributions."""
        first = len(self.weights) - count
        return ActionDistribution(
            self.weights[first:], self.mean[first:], self.log_std[first:], self.logits[first:], self.binary
        )

    @staticmethod
    def stacked(each: Sequence[ActionDistribution]) -> ActionDistribution:
        """Return all distributions of `each` in one, those of the first come first."""
        weights, mean, log_std, logits = (
            torch.cat([getattr(one, name) for one in each]) for name in ("weights", "mean", "log_std", "logits")
        )
        return ActionDistribution(weights, mean, log_std, logits, each[0].binary)

    def mode(self) -> Tensor:
        """Return the likeliest actions (B, A) of the likeliest components."""
        best = self.weights.argmax(1)
        return torch.where(self.binary, signs(_pick(self.logits, best)), _pick(self.mean, best))

    def sample(self, rng: torch.Generator) -> Tensor:
        """Return actions (B, A) drawn at random, within [−1, 1]."""
        chosen = self._draw_component(rng)
        mean, std = _pick(self.mean, chosen), _pick(self.log_std, chosen).exp()
        drawn = (mean + std * torch.randn(mean.shape, generator=rng)).clamp(-1.0, 1.0)
        if not bool(self.binary.any()):
            return drawn
        chance = torch.rand(mean.shape, generator=rng)
        return torch.where(self.binary, signs(torch.sigmoid(_pick(self.logits, chosen)) - chance), drawn)

    def _draw_component(self, rng: torch.Generator) -> Tensor:
        """Return the numbers (B,) of components drawn by their probabilities, with the Gumbel-max trick (Gumbel, 1954):
        in several times less time than `torch.multinomial` needs for a few rows."""
        # A single component is not drawn, so the generator advances exactly as it would without a mixture.
        if self.weights.shape[1] == 1:
            return torch.zeros(len(self.weights), dtype=torch.long)
        waits = torch.empty_like(self.weights).exponential_(generator=rng)
        return (self.weights - waits.log_()).argmax(1)

    def negative_log_likelihood(self, action: Tensor) -> Tensor:
        """Return −log π(action) (B,). A binary entry that is 0 means no change, and adds nothing."""
        action = action.unsqueeze(1)
        scaled = (action - self.mean) * torch.exp(-self.log_std)
        gaussian = 0.5 * scaled**2 + self.log_std + 0.5 * math.log(2 * math.pi)
        bernoulli = action.abs() * functional.softplus(-action.sign() * self.logits)
        each = torch.where(self.binary, bernoulli, gaussian).sum(-1)
        return -torch.logsumexp(torch.log_softmax(self.weights, 1) - each, 1)


def signs(values: Tensor) -> Tensor:
    """Return 1 where `values` are 0 or more, and −1 elsewhere."""
    return torch.where(values >= 0, 1.0, -1.0)


def _pick(values: Tensor, component: Tensor) -> Tensor:
    """Return, of each of `values` (B, K, A), the `component` (B,), as (B, A)."""
    return values[torch.arange(len(values)), component]
