"""A residual layer that each token passes alone, with the same weights."""

from __future__ import annotations

from torch import Tensor, nn


class TokenBlock(nn.Module):
    """A two-layer perceptron of each token, added to it: (B, K, width) → (B, K, width).

    Where a thing lies relative to the tool is not linear in what cameras see, so tokens pass such blocks before they
    are summed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `tokens` refined."""
        refined: Tensor = tokens + self.change(tokens)
        return refined
