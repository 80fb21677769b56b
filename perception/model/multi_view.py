"""Several cameras, late fusion: each picture has an encoder of its own, and the latents are added up."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from perception.model.encoders import Encoder


class LateFusion(nn.Module):
    """Pictures (B, H, W, 3) uint8 RGB of `views` cameras, stacked from above to below → (B, latent) float32.

    The cameras look from elsewhere, so nothing is shared between their encoders; what one does not see, another may
    add. Raises `ValueError` for a `height` that the views cannot share.
    """

    def __init__(self, height: int, width: int, latent: int, keypoints: int, views: int) -> None:
        super().__init__()
        if height % views:
            raise ValueError(f"{views} pictures cannot share {height} pixels in height")
        each = [Encoder(height // views, width, latent, keypoints) for _ in range(views)]
        self.encoders: Sequence[Encoder] = nn.ModuleList(each)  # type: ignore[assignment] # it is one, and typed

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the latents (B, latent) of `pictures` (B, H, W, 3) uint8."""
        return self.look(pictures)[0]

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents (B, latent) of `pictures` (B, H, W, 3) uint8, and the keypoints' places (B, V, 3, K)."""
        parts = pictures.chunk(len(self.encoders), dim=1)
        each = [encoder.look(part) for encoder, part in zip(self.encoders, parts, strict=True)]
        return torch.stack([latents for latents, _ in each]).sum(0), torch.cat([places for _, places in each], dim=1)


def make_encoder(height: int, width: int, latent: int, keypoints: int, views: int) -> Encoder | LateFusion:
    """Return the encoder of so many views."""
    if views == 1:
        return Encoder(height, width, latent, keypoints)
    return LateFusion(height, width, latent, keypoints, views)
