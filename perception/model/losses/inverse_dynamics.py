"""Inverse dynamics: which action led from one latent to the next.

Training it along keeps what the arm controls in the latent; without it the arm is lost from it (Sobal et al., "PLDM",
2025; "EB-JEPA", 2026).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InverseDynamics(nn.Module):
    """(latent, next latent) (B, D) each → action (B, A)."""

    def __init__(self, latent: int, action: int, hidden: int = 256) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2 * latent, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, action)
        )

    def forward(self, latent: Tensor, following: Tensor) -> Tensor:
        """Return the action (B, A) that explains the change."""
        return self.body(torch.cat([latent, following], dim=-1))
