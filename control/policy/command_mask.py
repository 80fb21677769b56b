"""The part of proprioception that critic and actor see: measured entries without commanded ones.

A policy that sees the last command learns to repeat it. In play that is nearly always right, but then the arm never
stops at a goal (causal confusion; de Haan et al. 2019). The world model does see the commands, because the arm's next
motion follows from them.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn


class CommandMask(nn.Module):
    """Scaled proprio (..., P) → (..., `size`), without the entries numbered `commands`."""

    kept: Tensor

    def __init__(self, proprio: int, commands: Collection[int] = ()) -> None:
        super().__init__()
        kept = [entry for entry in range(proprio) if entry not in commands]
        self.size = len(kept)
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.long), persistent=False)

    def forward(self, proprio: Tensor) -> Tensor:
        """Return the entries that are not commands."""
        return proprio.index_select(-1, self.kept)
