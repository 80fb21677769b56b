"""Keypoints: the coordinates at which features of a picture are strongest (Finn et al., "Deep spatial autoencoders",
2016).

No labels say what a keypoint marks: it learns that from the losses of the values that are computed from it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPAN = 2.0
"""Coordinates run from −`SPAN` to `SPAN` over the picture, which is about the scale of latents."""
STRENGTH_SCALE = 4.0
"""The feature value at which a keypoint's strength is tanh(1)."""


class Keypoints(nn.Module):
    """Features (B, C, H, W) → places (B, 3, K) → a part of the latents (B, D). Each of `count` keypoints has a place
    across and down, the mean of a softmax over all positions, and a strength, which says whether it marks anything. All
    three enter the latent linearly."""

    def __init__(self, channels: int, count: int, latent: int) -> None:
        super().__init__()
        self.heat = nn.Conv2d(channels, count, kernel_size=1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.enter = nn.Linear(3 * count, latent)

    def forward(self, places: Tensor) -> Tensor:
        """Return the part of the latents (B, D) that follows from `places` (B, 3, K)."""
        return self.enter(places.flatten(1))

    def places(self, features: Tensor) -> Tensor:
        """Return the keypoints' places (B, 3, K) in `features` (B, C, H, W): across and down, from −`SPAN` at the left
        and at the top, and strength in (−1, 1)."""
        # Coordinates in half precision would be off by a pixel.
        heat = self.heat(features).float()
        height, width = heat.shape[2:]
        share = torch.softmax(heat.flatten(2) * self.sharpness.exp(), dim=-1).unflatten(2, (height, width))
        across = torch.linspace(-SPAN, SPAN, width, device=heat.device)
        down = torch.linspace(-SPAN, SPAN, height, device=heat.device)
        strength = torch.tanh(heat.flatten(2).amax(-1) / STRENGTH_SCALE)
        return torch.stack([(share.sum(2) * across).sum(-1), (share.sum(3) * down).sum(-1), strength], dim=1)
