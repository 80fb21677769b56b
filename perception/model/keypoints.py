"""Keypoints: where in a picture features are strongest, as coordinates (Finn et al., "Deep spatial autoencoders",
2016).

Nobody says what they should mark; what is trained on them makes them follow what matters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SPAN = 2.0
"""Coordinates run from −`SPAN` to `SPAN` over the picture, about the size that latents have."""
CALM = 4.0


class Keypoints(nn.Module):
    """Features (B, C, H, W) → places (B, 3, count) → (B, latent). Each of `count` keypoints has a place across and
    down, the mean of a softmax over all positions, and a strength that tells whether it marks anything; all enter
    linearly."""

    def __init__(self, channels: int, count: int, latent: int) -> None:
        super().__init__()
        self.heat = nn.Conv2d(channels, count, kernel_size=1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.enter = nn.Linear(3 * count, latent)

    def forward(self, places: Tensor) -> Tensor:
        """Return the part of the latents (B, latent) that `places` (B, 3, count) make."""
        return self.enter(places.flatten(1))

    def places(self, features: Tensor) -> Tensor:
        """Return where `features` (B, C, H, W) have the keypoints, (B, 3, count): across and down, from −`SPAN` on the
        left and above, and strength in (−1, 1)."""
        # Coordinates in half precision would be off by a pixel.
        heat = self.heat(features).float()
        height, width = heat.shape[2:]
        share = torch.softmax(heat.flatten(2) * self.sharpness.exp(), dim=-1).unflatten(2, (height, width))
        across = torch.linspace(-SPAN, SPAN, width, device=heat.device)
        down = torch.linspace(-SPAN, SPAN, height, device=heat.device)
        strength = torch.tanh(heat.flatten(2).amax(-1) / CALM)
        return torch.stack([(share.sum(2) * across).sum(-1), (share.sum(3) * down).sum(-1), strength], dim=1)
