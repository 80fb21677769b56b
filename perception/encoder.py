"""The encoder: a picture becomes a latent vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (16, 32, 64, 128)
HIDDEN = 256


class Encoder(nn.Module):
    """Four strided convolutions and a linear head: (B, H, W, 3) uint8 RGB → (B, latent) float32.

    `height` and `width` must be multiples of 16.
    """

    def __init__(self, height: int, width: int, latent: int) -> None:
        super().__init__()
        if height % 16 or width % 16:
            raise ValueError(f"the encoder needs picture sides that are multiples of 16, not {height}×{width}")
        layers: list[nn.Module] = []
        incoming = 3
        for channels in CHANNELS:
            layers += [
                nn.Conv2d(incoming, channels, kernel_size=4, stride=2, padding=1),
                nn.GroupNorm(8, channels),
                nn.GELU(),
            ]
            incoming = channels
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(incoming * (height // 16) * (width // 16), HIDDEN),
            nn.LayerNorm(HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, latent),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the latents (B, latent) of `pictures` (B, H, W, 3) uint8."""
        # Channels-last more than doubles the speed of small convolutions on a CPU.
        pixels = pictures.permute(0, 3, 1, 2).to(memory_format=torch.channels_last)
        pixels = (pixels.float() - 127.5) / 64.0
        return self.head(self.convolutions(pixels)).float()
