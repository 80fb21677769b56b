"""Where the colours are: a coarse, colour-only picture that training asks of the latent beside the prediction.

An arm is grey and fills much of a picture; what it handles is small and coloured. Asked for the colours alone, a latent
keeps the small things that the arm would otherwise crowd out. The planner never sees this decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSER = 2
"""The colour picture has one pixel for so many of the camera's, each way."""
SCALE = 0.04
"""A colour this far from grey, of 1, counts as one: about what a small thing's amount to over a whole picture."""


class ColourDecoder(nn.Module):
    """(B, latent) → (B, 3, H / `COARSER`, W / `COARSER`) how far each pixel's colour is from grey, in `SCALE`."""

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
    """Return what `ColourDecoder` should say of `pictures` (B, H, W, 3) uint8: each pixel less its grey, and less the
    picture's own tint."""
    pixels = pictures.permute(0, 3, 1, 2).float() / 255.0
    tinted = pixels - pixels.mean(1, keepdim=True)
    return functional.avg_pool2d(tinted - tinted.mean((2, 3), keepdim=True), COARSER) / SCALE
