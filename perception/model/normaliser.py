"""Scales proprioception to zero mean and unit variance, with figures that are fitted once and travel with the model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# A component that never moves in the data (a fixed height, a closed gripper) is divided by this many metres, so that
# sensor noise on it stays small after scaling.
SMALLEST_SPREAD_M = 0.01


class Normaliser(nn.Module):
    """An affine map (..., P) → (..., P) with fitted mean and spread."""

    mean: Tensor
    spread: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))

    def fit(self, states: NDArray[np.float32]) -> None:
        """Take mean and spread from `states` (N, P), in SI units."""
        self.mean.copy_(torch.as_tensor(states.mean(0)))
        self.spread.copy_(torch.as_tensor(np.maximum(states.std(0), SMALLEST_SPREAD_M)))

    def forward(self, states: Tensor) -> Tensor:
        """Return `states` scaled."""
        return (states - self.mean) / self.spread

    def inverse(self, scaled: Tensor) -> Tensor:
        """Return scaled states in SI units."""
        return scaled * self.spread + self.mean
