"""What a latent consists of: tokens or not, and whether these say where their things are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from perception.model.encoders import Encoder, EntityEncoder, LocatingEncoder
from perception.model.entities.places import place_distance


@dataclass(frozen=True)
class TokenLayout:
    """A latent of K `entities`, 0 for a flat one. Each token ends with its places in a number of `views`, 0 where
    tokens have no places."""

    entities: int = 0
    views: int = 0

    def tokens(self, latents: Tensor) -> Tensor:
        """Return `latents` (..., D) as tokens (..., K, d); a flat latent is one token."""
        return latents.unflatten(-1, (max(self.entities, 1), -1))

    def differences(self, latents: Tensor, others: Tensor) -> Tensor:
        """Return how much each token of latents (..., D) differs, (..., K): the squared distance of its places in the
        pictures, where it has places, and else the mean squared difference of its numbers."""
        tokens, other_tokens = self.tokens(latents), self.tokens(others)
        if self.views:
            return place_distance(tokens, other_tokens, self.views) ** 2
        return ((tokens - other_tokens) ** 2).mean(-1)


FLAT = TokenLayout()


def layout_of(encoder: Encoder) -> TokenLayout:
    """Return what the latents of `encoder` consist of."""
    entities = encoder.entities if isinstance(encoder, EntityEncoder) else 0
    return TokenLayout(entities, encoder.views if isinstance(encoder, LocatingEncoder) else 0)
