"""The encoder: a picture becomes a latent vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perception.model.keypoints import Keypoints

CHANNELS = (16, 32, 64, 128)
HIDDEN = 256
PER_CONVOLUTION = 3
NEAR = 2
"""Keypoints are looked for after so many convolutions: there a feature sees about as much as a thing to grasp."""


class Encoder(nn.Module):
    """Four strided convolutions, read in two ways: (B, H, W, 3) uint8 RGB → (B, latent) float32.

    A perceptron on the last features says what there is. `keypoints` on earlier ones say where, and enter the latent
    linearly: without them a latent that holds several things keeps their places in a tangle that training does not
    undo. `height` and `width` must be multiples of 16.
    """

    def __init__(self, height: int, width: int, latent: int, keypoints: int = 0) -> None:
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
        self.places = Keypoints(CHANNELS[NEAR - 1], keypoints, latent) if keypoints else None

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the latents (B, latent) of `pictures` (B, H, W, 3) uint8."""
        return self.look(pictures)[0]

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents (B, latent) of `pictures` (B, H, W, 3) uint8, and the keypoints' places (B, 1, 3, K)."""
        # Channels-last more than doubles the speed of small convolutions on a CPU.
        pixels = pictures.permute(0, 3, 1, 2).to(memory_format=torch.channels_last)
        near = self.convolutions[: NEAR * PER_CONVOLUTION]((pixels.float() - 127.5) / 64.0)
        latents = self.head(self.convolutions[NEAR * PER_CONVOLUTION :](near))
        if self.places is None:
            return latents.float(), latents.new_zeros(len(latents), 1, 3, 0)
        places = self.places.places(near)
        return (latents + self.places(places)).float(), places.unsqueeze(1)
