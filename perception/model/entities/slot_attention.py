"""Slot attention: slots compete for the features of a picture, so that each comes to hold one thing (Locatello et al.,
"Object-centric learning with slot attention", 2020).

Each slot begins as a learned query, so that the same slot marks the same thing from picture to picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST = 1e-6
"""Added to a slot's total share, which may be zero."""


class SlotAttention(nn.Module):
    """Features (B, N, C) → `slots` (B, K, C), and the share (B, K, N) of each feature that each slot takes; the shares
    of a feature add up to 1. `rounds` times, slots look at the features and are refined."""

    def __init__(self, slots: int, channels: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.queries = nn.Parameter(torch.randn(slots, channels))
        self.settle = nn.LayerNorm(channels)
        # Keys and values are linear in the features. So they are applied to the few slots instead: to what a slot asks
        # for, and to the mean of what it takes.
        self.ask = nn.Linear(channels, channels, bias=False)
        self.take = nn.Linear(channels, channels, bias=False)
        self.update = nn.GRUCell(channels, channels)
        self.refine = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slots, and the shares with which they were last refined."""
        count, size = self.queries.shape
        slots = self.queries.expand(len(features), -1, -1).float()
        shares = features.new_zeros(len(features), count, features.shape[1])
        for _ in range(self.rounds):
            asked = self.ask(self.settle(slots)) * size**-0.5
            shares = torch.softmax((asked @ features.transpose(1, 2)).float(), dim=1)
            weights = shares / (shares.sum(-1, keepdim=True) + SMALLEST)
            taken = self.take(weights.to(features.dtype) @ features)
            slots = self._refined(taken.flatten(0, 1), slots.flatten(0, 1)).unflatten(0, (-1, count))
        return slots, shares

    def _refined(self, taken: Tensor, slots: Tensor) -> Tensor:
        slots = self.update(taken, slots.to(taken.dtype))
        return (slots + self.refine(slots)).float()
