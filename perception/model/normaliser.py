"""Scales proprioception to zero mean and unit variance, with a mean and a scale that are fitted once and saved with the
model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# An entry that never changes in the data (a fixed height, a closed gripper) is divided by this many metres, so that
# sensor noise on it stays small after scaling.
MIN_STD_M = 0.01


class Normaliser(nn.Module):
    """An affine map (..., P) → (..., P) with a fitted mean and standard deviation, which on disk is called `spread`."""

    mean: Tensor
    spread: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))

    def fit(self, states: NDArray[np.float32]) -> None:
        """Fit mean and standard deviation to `states` (N, P), in SI units; the latter is at least `MIN_STD_M`."""
        self.mean.copy_(torch.as_tensor(states.mean(0)))
        self.spread.copy_(torch.as_tensor(np.maximum(states.std(0), MIN_STD_M)))

    def forward(self, states: Tensor) -> Tensor:
        """Return `states` (..., P) in SI units, scaled."""
        return (states - self.mean) / self.spread

    def inverse(self, scaled: Tensor) -> Tensor:
        """Return `scaled` states (..., P) in SI units."""
        return scaled * self.spread + self.mean
