"""A picture painted with nothing but coloured blobs, one at each keypoint: what makes keypoints mark things exactly.

To paint a small coloured thing where it is, a keypoint has to be there, to a fraction of a pixel (after Jakab et al.,
"Unsupervised learning of object landmarks through conditional image generation", 2018). The planner never sees it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from perception.model.keypoints import SPAN

FIRST_SIZE = 0.3
"""A blob's first standard deviation, of coordinates that run from −`SPAN` to `SPAN`: wide enough to feel what is not
under it yet."""


class Blobs(nn.Module):
    """Keypoints (B, V, 3, K) of V pictures → (B, 3, V × H, W) colours, each picture below the one before. A blob has a
    colour and a size of its own, and is as bright as its keypoint is strong."""

    def __init__(self, views: int, keypoints: int, height: int, width: int) -> None:
        """`height` and `width` are those of one painted picture."""
        super().__init__()
        self.shape = (height, width)
        self.colour = nn.Parameter(torch.randn(views, keypoints, 3))
        self.log_size = nn.Parameter(torch.full((views, keypoints), math.log(FIRST_SIZE)))

    def forward(self, places: Tensor) -> Tensor:
        """Return the painted pictures, in the units of `perception.model.losses.colour_decoder.colours`."""
        across, down, strength = places.unbind(2)
        height, width = self.shape
        columns = strength[..., None] * self._bump(across, width)
        painted = torch.einsum("bvkh,bvkw,vkc->bcvhw", self._bump(down, height), columns, self.colour)
        return painted.flatten(2, 3)

    def _bump(self, centre: Tensor, cells: int) -> Tensor:
        """Return how bright each blob at `centre` (B, V, K) is along a line of `cells`, (B, V, K, cells)."""
        line = torch.linspace(-SPAN, SPAN, cells, device=centre.device)
        return torch.exp(-0.5 * (line - centre[..., None]) ** 2 * torch.exp(-2.0 * self.log_size)[..., None])
