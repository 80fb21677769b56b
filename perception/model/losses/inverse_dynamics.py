"""Inverse dynamics: the action that led from one latent to the next.

Trained together with the world model, it keeps what the arm controls in the latent; without it, the latent loses the
arm (Sobal et al., "PLDM", 2025; "EB-JEPA", 2026).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InverseDynamics(nn.Module):
    """Latent and next latent, (B, D) each → action (B, A)."""

    def __init__(self, latent: int, action: int, hidden: int = 256) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2 * latent, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, action)
        )

    def forward(self, latent: Tensor, following: Tensor) -> Tensor:
        """Return the action (B, A) that explains the change."""
        return self.body(torch.cat([latent, following], dim=-1))
