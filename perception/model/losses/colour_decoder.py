"""A decoder of colours: training requires that a coarse picture of the colours alone can be decoded from the latent.

The arm is grey and fills much of a picture; the objects that it handles are small and coloured. With this loss the
latent keeps the objects, which the arm would otherwise crowd out. The planner does not use this decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSER = 2
"""The side of one pixel of the colour picture, in pixels of the camera's picture."""
SCALE = 0.04
"""Unit of the target: colour values (0 to 1) are divided by this. A small object's colours have about
this distance from grey, averaged over a picture."""


class ColourDecoder(nn.Module):
    """Latents (B, D) → each pixel's distance from grey in units of `SCALE`, (B, 3, H / `COARSER`, W / `COARSER`)."""

    def __init__(self, height: int, width: int, latent: int) -> None:
        super().__init__()
        self.grid = (128, height // 16, width // 16)
        self.enter = nn.Linear(latent, self.grid[0] * self.grid[1] * self.grid[2])
        self.body = nn.Sequential(
            nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1),
            nn.GroupNorm(8, 64),
            nn.GELU(),
            nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1),
            nn.GroupNorm(8, 32),
            nn.GELU(),
            nn.ConvTranspose2d(32, 3, kernel_size=4, stride=2, padding=1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return the colour pictures of `latents` (B, D)."""
        grid = self.enter(latents).unflatten(-1, self.grid).contiguous(memory_format=torch.channels_last)
        return self.body(grid).float()


def colours(pictures: Tensor) -> Tensor:
    """Return the target of `ColourDecoder` for `pictures` (B, H, W, 3) uint8: each pixel minus its grey, and minus the
    mean of that over the picture."""
    pixels = pictures.permute(0, 3, 1, 2).float() / 255.0
    tinted = pixels - pixels.mean(1, keepdim=True)
    return functional.avg_pool2d(tinted - tinted.mean((2, 3), keepdim=True), COARSER) / SCALE
