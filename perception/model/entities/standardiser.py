"""Scales slots to zero mean and unit variance in every entry, with statistics that are fixed after training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOWEST = 0.01
"""The smallest share of a step's statistics in the running ones; at first all steps count the same."""
MIN_SPREAD = 0.05
"""An entry that hardly varies is divided by this, so that its noise stays small."""


class Standardiser(nn.Module):
    """An affine map of slots (B, K, C). All slots share it, so that it makes no difference which one holds a thing.

    In training, a batch is scaled by its own statistics, and gradients pass through them; the running statistics that
    are used later follow along.
    """

    mean: Tensor
    variance: Tensor
    steps: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("variance", torch.ones(size))
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, slots: Tensor) -> Tensor:
        """Return the scaled slots."""
        if not self.training:
            return (slots - self.mean) / _spread(self.variance)
        variance, mean = torch.var_mean(slots, dim=(0, 1), correction=0)
        with torch.no_grad():
            self.steps += 1
            share = (1.0 / self.steps).clamp(min=SLOWEST)
            self.mean.lerp_(mean, share)
            self.variance.lerp_(variance, share)
        return (slots - mean) / _spread(variance)


def _spread(variance: Tensor) -> Tensor:
    return (variance + MIN_SPREAD**2).sqrt()
