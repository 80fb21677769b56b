"""The built-in encoder of one camera's pictures: a small convolutional network, trained with the world model."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perception.model.encoders import PICTURE, EncoderRequest
from perception.model.keypoints import Keypoints
from robot.errors import ConfigurationError

CHANNELS = (16, 32, 64, 128)
HIDDEN = 256
LAYERS_PER_CONVOLUTION = 3
KEYPOINT_CONVOLUTIONS = 2
"""Keypoints are found in the features after this many convolutions: there the receptive field of a feature is about as
large as an object to grasp."""


class ConvolutionalEncoder(nn.Module):
    """Clips of one picture (B, 1, H, W, 3) uint8 RGB → latents (B, D) float32, through four strided convolutions.

    A multilayer perceptron on the last features encodes the content of the picture. The places of `keypoints` in
    earlier features encode positions, and are added to the latent linearly: without them, a latent of several objects
    holds their positions in an entangled form that training does not disentangle. `height` and `width` must be
    multiples of 16.
    """

    frames = 1

    def __init__(self, height: int, width: int, latent: int, keypoints: int = 0) -> None:
        """Raise `ValueError` for a picture side that is not a multiple of 16."""
        super().__init__()
        if height % 16 or width % 16:
            raise ValueError(f"the encoder needs picture sides that are multiples of 16, not {height}×{width}")
        self.picture = width, height
        self.latent = latent
        self.keypoints = keypoints
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
        self.places = Keypoints(CHANNELS[KEYPOINT_CONVOLUTIONS - 1], keypoints, latent) if keypoints else None

    def forward(self, clips: Tensor) -> Tensor:
        """Return the latents (B, D) of `clips` (B, 1, H, W, 3) uint8."""
        return self.look(clips)[0]

    def look(self, clips: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return latents and keypoints' places as `Encoder.look` does, of one view."""
        split = KEYPOINT_CONVOLUTIONS * LAYERS_PER_CONVOLUTION
        early = self.convolutions[:split](scaled_pixels(clips[:, -1]))
        latents = self.head(self.convolutions[split:](early))
        if self.places is None:
            return latents.float(), None
        places = self.places.places(early)
        return (latents + self.places(places)).float(), places.unsqueeze(1)


def scaled_pixels(pictures: Tensor) -> Tensor:
    """Return `pictures` (B, H, W, 3) uint8 as convolutions take them, (B, 3, H, W) float32 of about unit variance."""
    # Channels-last more than doubles the speed of small convolutions on a CPU.
    pixels = pictures.permute(0, 3, 1, 2).to(memory_format=torch.channels_last)
    return (pixels.float() - 127.5) / 64.0


def make_encoder(request: EncoderRequest) -> ConvolutionalEncoder:
    """Return the encoder asked for, of one view. Raises `ConfigurationError` for more views, and for any options."""
    require_no_options("convolutional", request)
    if request.views != 1:
        raise ConfigurationError(
            f"the encoder 'convolutional' sees one camera, not {request.views}: use 'convolutional-rig'"
        )
    width, height = request.picture or PICTURE
    return ConvolutionalEncoder(height, width, request.latent, request.keypoints)


def require_no_options(name: str, request: EncoderRequest) -> None:
    """Raise `ConfigurationError` when an encoder without options is asked for some."""
    if request.options:
        raise ConfigurationError(f"the encoder {name!r} has no options; it was given {', '.join(request.options)}")
