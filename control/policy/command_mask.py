"""What critic and actor feel of the arm: where it is, not where it was sent.

Whoever sees the last command learns to repeat it, which in play is nearly always right and in earnest never ends
(causal confusion; de Haan et al. 2019). The world model does need the commands, to know what moves on.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn


class CommandMask(nn.Module):
    """Scaled proprio (..., P) → (..., `size`), without the `commands` among its entries."""

    kept: Tensor

    def __init__(self, proprio: int, commands: Collection[int] = ()) -> None:
        super().__init__()
        kept = [entry for entry in range(proprio) if entry not in commands]
        self.size = len(kept)
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.long), persistent=False)

    def forward(self, proprio: Tensor) -> Tensor:
        """Return the entries that are felt."""
        return proprio.index_select(-1, self.kept)
