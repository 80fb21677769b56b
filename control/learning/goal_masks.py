"""Random masks of goals: critic and actor learn that some tokens of a goal do not matter.

A masked goal is reached as soon as the tokens that matter agree with it, which may be long before its frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.model.encoders import Encoder, EntityEncoder, LocatingEncoder
from perception.model.entities.places import SAME_PLACE, place_distance

SINGLE = 0.46
"""Share of masked goals in which a single token does not matter; in the others all but one or two do not."""
REST = 4.0
"""Tokens without places agree whose mean squared difference is at most this × the median change from one frame to the
next. Most tokens are at rest in most blocks, so the median is the noise of a thing at rest."""


def _token_difference(latents: Tensor, others: Tensor, entities: int) -> Tensor:
    """Return the mean squared difference of each token of latents (B, D), (B, K)."""
    return ((latents - others) ** 2).unflatten(-1, (entities, -1)).mean(-1)


def _token_rest(latents: Tensor, following: NDArray[np.int64], entities: int) -> float:
    """Return the mean squared difference up to which a token counts as in the same place. `following` (M,) are the
    numbers of the frames, among latents (N, D), that have a next one in their episode."""
    some = torch.from_numpy(following)
    return REST * float(_token_difference(latents[some], latents[some + 1], entities).median())


@dataclass(frozen=True)
class TokenLayout:
    """What a latent consists of: K `entities`, each of which ends with its places in a number of `views`; 0 views where
    tokens have no places."""

    entities: int
    views: int


def layout_of(encoder: Encoder) -> TokenLayout:
    """Return what the latents of `encoder` consist of; no entities for a flat latent."""
    entities = encoder.entities if isinstance(encoder, EntityEncoder) else 0
    return TokenLayout(entities, encoder.views if isinstance(encoder, LocatingEncoder) else 0)


class GoalMasks:
    """Draws masks for a `share` of the goals, over the tokens of latents (N, D). Tokens agree that have the same place;
    where tokens have no places, those that differ little."""

    def __init__(self, share: float, layout: TokenLayout, latents: Tensor, following: NDArray[np.int64]) -> None:
        """The next frame of the same episode is looked up in `following` (M,), frame numbers that have one."""
        self._share = share
        self._entities = layout.entities
        self._views = layout.views
        self._same = SAME_PLACE if layout.views else _token_rest(latents, following, layout.entities)

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Return masks (count, K): 1 for the tokens that matter, 0 for the others. At least one matters."""
        order = rng.random((count, self._entities)).argsort(1).argsort(1)  # each token's number in a random order
        few = rng.integers(1, 3, count)
        kept = np.where(rng.random(count) < SINGLE, self._entities - 1, few)
        kept = np.where(rng.random(count) < self._share, kept, self._entities)
        return torch.from_numpy((order < np.maximum(kept, 1)[:, None]).astype(np.float32))

    def agree(self, latents: Tensor, goals: Tensor, wanted: Tensor) -> Tensor:
        """Return, for each of `latents` and `goals` (B, D), whether a token does not matter and those that are `wanted`
        (B, K) agree, (B,) bool."""
        apart = (self._apart(latents, goals) * wanted).amax(1)
        return (wanted.amin(1) == 0) & (apart <= self._same)

    def _apart(self, latents: Tensor, goals: Tensor) -> Tensor:
        if not self._views:
            return _token_difference(latents, goals, self._entities)
        tokens, others = (each.unflatten(-1, (self._entities, -1)) for each in (latents, goals))
        return place_distance(tokens, others, self._views)
