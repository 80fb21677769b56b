"""The built-in encoder of a rig of cameras, by late fusion: each camera has its own encoder, and latents are added."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from perception.model.convolutional import ConvolutionalEncoder, require_no_options
from perception.model.encoders import PICTURE, EncoderRequest


class MultiViewEncoder(nn.Module):
    """Clips (B, 1, H, W, 3) uint8 RGB of `views` cameras, stacked from top to bottom → latents (B, D) float32.

    The encoders share no weights, because the cameras see the scene from different places: what one camera does not
    see, another can add. `height` is that of the whole stack.
    """

    frames = 1

    def __init__(self, height: int, width: int, latent: int, keypoints: int, views: int) -> None:
        """Raise `ValueError` for a `height` that is not a multiple of `views`, and as `ConvolutionalEncoder`."""
        super().__init__()
        if height % views:
            raise ValueError(f"{views} pictures cannot share {height} pixels in height")
        self.picture = width, height // views
        self.latent = latent
        self.keypoints = keypoints
        each = [ConvolutionalEncoder(height // views, width, latent, keypoints) for _ in range(views)]
        self.encoders: Sequence[ConvolutionalEncoder] = nn.ModuleList(each)  # type: ignore[assignment] # it is typed so

    def forward(self, clips: Tensor) -> Tensor:
        """Return the latents (B, D) of `clips` (B, 1, H, W, 3) uint8."""
        return self.look(clips)[0]

    def look(self, clips: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the sum of the views' latents (B, D), and the places of their keypoints, as `Encoder.look` does."""
        parts = clips.chunk(len(self.encoders), dim=2)
        each = [encoder.look(part) for encoder, part in zip(self.encoders, parts, strict=True)]
        places = [found for _, found in each if found is not None]
        return torch.stack([latents for latents, _ in each]).sum(0), torch.cat(places, dim=1) if places else None


def make_encoder(request: EncoderRequest) -> MultiViewEncoder:
    """Return the encoder asked for. Raises `ConfigurationError` for any options."""
    require_no_options("convolutional-rig", request)
    width, height = request.picture or PICTURE
    return MultiViewEncoder(height * request.views, width, request.latent, request.keypoints, request.views)
