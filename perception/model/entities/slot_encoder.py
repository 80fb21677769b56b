"""The encoder of entities: pictures of all cameras → tokens, each of which holds one thing in all views."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perception.model.convolutional import scaled_pixels
from perception.model.encoders import PICTURE, EncoderRequest
from perception.model.entities.places import PLACE, places_from
from perception.model.entities.slot_attention import SlotAttention
from perception.model.entities.standardiser import Standardiser
from robot.errors import ConfigurationError

FEATURES = 48
"""The number of features of a token, unless another is asked for."""
MOST_FEATURES = 1024
GROUPS = 8
ROUNDS = 2


class SlotEncoder(nn.Module):
    """Clips (B, 1, V × H, W, 3) uint8 RGB of `views` cameras, stacked from top to bottom → latents (B, K × d) float32:
    K `entities`, each a token of d numbers.

    The features of all views are looked at together, so that one slot finds its thing in every view. A token is the
    slot's `features`, standardised, and then for each view its place: the centroid of the slot's attention, to a
    fraction of a pixel, and how much of the view it covers. `height` and `width` are those of one view.
    """

    frames = 1
    keypoints = 0

    def __init__(self, height: int, width: int, views: int, entities: int, features: int = FEATURES) -> None:
        super().__init__()
        self.picture = width, height
        self.views = views
        self.entities = entities
        self.features = features
        token = features + PLACE * views
        self.latent = entities * token
        self.fine = _convolution(3, features, kernel=4, stride=2)
        self.coarse = nn.Sequential(
            _convolution(features, features, kernel=4, stride=2),
            _convolution(features, features, kernel=3, stride=1),
            nn.Upsample(scale_factor=2, mode="nearest"),
        )
        self.across = nn.Parameter(torch.randn(views, 1, width // 2, features))
        self.down = nn.Parameter(torch.randn(views, height // 2, 1, features))
        self.settle = nn.LayerNorm(features)
        self.slots = SlotAttention(entities, features, ROUNDS)
        self.standardiser = Standardiser(features)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the latents (B, D) of `clips` (B, 1, V × H, W, 3) uint8."""
        return self.look(clips)[0]

    def look(self, clips: Tensor) -> tuple[Tensor, None]:
        """Return latents as `Encoder.look` does; there are no keypoints."""
        slots, shares = self._attended(clips)
        return torch.cat([self.standardiser(slots), places_from(shares).flatten(2)], dim=-1).flatten(1), None

    def attention(self, clips: Tensor) -> Tensor:
        """Return the share (B, K, V, H/2, W/2) that each token takes of each cell of `clips` (B, 1, V × H, W, 3) uint8.
        A cell is 2 × 2 pixels, and its shares add up to 1."""
        return self._attended(clips)[1]

    def _attended(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slots (B, K, C), and the shares as `attention` does."""
        pictures = clips[:, -1].unflatten(1, (self.views, -1)).flatten(0, 1)
        fine = self.fine(scaled_pixels(pictures))
        grid = (fine + self.coarse(fine)).permute(0, 2, 3, 1).unflatten(0, (-1, self.views))
        features = self.settle(grid + (self.across + self.down))
        slots, shares = self.slots(features.flatten(1, 3))
        return slots, shares.unflatten(2, features.shape[1:4])


def _convolution(incoming: int, outgoing: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, kernel, stride, padding=1), nn.GroupNorm(GROUPS, outgoing), nn.GELU()
    )


def make_encoder(request: EncoderRequest) -> SlotEncoder:
    """Return the encoder asked for. Raises `ConfigurationError` for less than one entity and for unknown options."""
    if request.entities < 1:
        raise ConfigurationError("the encoder 'entities' needs the number of entity tokens; give --sizes.entities 7")
    if unknown := request.options.keys() - {"features"}:
        raise ConfigurationError(
            f"the encoder 'entities' has no option {', '.join(sorted(unknown))}; it has one, features, the number of "
            "features of a token"
        )
    width, height = request.picture or PICTURE
    features = _features(request.options.get("features", str(FEATURES)))
    return SlotEncoder(height, width, request.views, request.entities, features)


def _features(said: str) -> int:
    """Return the option `features`. Raises `ConfigurationError` for an impossible number."""
    number = int(said) if said.isdecimal() and len(said) <= len(str(MOST_FEATURES)) else 0
    if not GROUPS <= number <= MOST_FEATURES or number % GROUPS:
        raise ConfigurationError(
            f"--sizes.encoder-options features {said[:20]}: it must be a multiple of {GROUPS}, from {GROUPS} to "
            f"{MOST_FEATURES}"
        )
    return number
