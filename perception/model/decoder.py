"""A small decoder on the frozen latents that draws what the model imagines, for people to look at.

No planner uses it, and none of its gradients reaches the encoder.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (16, 32, 64, 128)
"""Channels at each resolution, from the finest to the coarsest."""


class Decoder(nn.Module):
    """Latents (B, D) → pictures (B, H, W, 3) in [0, 1], where H and W are multiples of 16."""

    def __init__(self, height: int, width: int, latent: int) -> None:
        super().__init__()
        self.grid = (CHANNELS[-1], height // 16, width // 16)
        self.enter = nn.Linear(latent, self.grid[0] * self.grid[1] * self.grid[2])
        layers: list[nn.Module] = []
        reverse = [*CHANNELS[::-1], 16]
        for incoming, outgoing in pairwise(reverse):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(incoming, outgoing, kernel_size=3, padding=1),
                nn.GroupNorm(8, outgoing),
                nn.GELU(),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(16, 3, kernel_size=3, padding=1))

    def forward(self, latents: Tensor) -> Tensor:
        """Return pictures (B, H, W, 3) float32 in [0, 1]."""
        grid = self.enter(latents).unflatten(-1, self.grid).contiguous(memory_format=torch.channels_last)
        return torch.sigmoid(self.body(grid).float()).permute(0, 2, 3, 1)

    def draw(self, latents: Tensor) -> Tensor:
        """Return pictures (B, H, W, 3) uint8 RGB."""
        return (self(latents) * 255.0).round().to(torch.uint8)


class DecoderLoss(nn.Module):
    """The decoder's training loss: mean absolute error, weighted more where a picture differs from the mean picture."""

    mean_picture: Tensor

    def __init__(self, decoder: Decoder, mean_picture: Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.register_buffer("mean_picture", mean_picture)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `loss` for `latents` (B, D) and their `images` (B, H, W, 3) uint8."""
        truth = batch["images"].float() / 255.0
        # Most of every picture is the table, which never changes; people look at what moves on it.
        weight = 1.0 + 8.0 * (truth - self.mean_picture).abs().amax(-1, keepdim=True)
        error = functional.l1_loss(self.decoder(batch["latents"]), truth, reduction="none")
        return {"loss": (weight * error).mean()}
