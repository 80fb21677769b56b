"""A renderer of coloured blobs, one at each keypoint, whose loss makes keypoints mark objects exactly.

To draw a small coloured object in its place, a keypoint has to be there to a fraction of a pixel (after Jakab et al.,
"Unsupervised learning of object landmarks through conditional image generation", 2018). The planner does not use it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from perception.model.keypoints import SPAN

FIRST_SIZE = 0.3
"""A blob's initial standard deviation, in coordinates that run from −`SPAN` to `SPAN`: wide enough for a gradient from
objects that it does not cover yet."""


class Blobs(nn.Module):
    """Keypoints (B, V, 3, K) of V views → colours (B, 3, V × H, W), the views stacked from top to bottom. Each blob has
    its own colour and size, and the brightness of its keypoint's strength."""

    def __init__(self, views: int, keypoints: int, height: int, width: int) -> None:
        """`height` and `width` are those of one view's picture of colours."""
        super().__init__()
        self.shape = (height, width)
        self.colour = nn.Parameter(torch.randn(views, keypoints, 3))
        self.log_size = nn.Parameter(torch.full((views, keypoints), math.log(FIRST_SIZE)))

    def forward(self, places: Tensor) -> Tensor:
        """Return the drawn pictures, in the units of `perception.model.losses.colour_decoder.colours`."""
        across, down, strength = places.unbind(2)
        height, width = self.shape
        columns = strength[..., None] * self._bump(across, width)
        drawn = torch.einsum("bvkh,bvkw,vkc->bcvhw", self._bump(down, height), columns, self.colour)
        return drawn.flatten(2, 3)

    def _bump(self, centre: Tensor, cells: int) -> Tensor:
        """Return the brightness of each blob at `centre` (B, V, K) along a line of `cells`, (B, V, K, cells)."""
        line = torch.linspace(-SPAN, SPAN, cells, device=centre.device)
        return torch.exp(-0.5 * (line - centre[..., None]) ** 2 * torch.exp(-2.0 * self.log_size)[..., None])
