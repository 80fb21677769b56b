"""Random masks of goals: critic and actor learn that some tokens of a goal do not matter.

A masked goal is reached as soon as the tokens that matter agree with it, which may be long before its frame.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.model.entities.layout import TokenLayout
from perception.model.entities.places import SAME_PLACE

SINGLE = 0.46
"""Share of masked goals in which a single token does not matter; in the others all but one to three do not."""
REST = 4.0
"""Tokens without places agree whose mean squared difference is at most this × the median change from one frame to the
next. Most tokens are at rest in most blocks, so the median is the noise of a thing at rest."""
CANDIDATES = 32
"""The number of random frames of which the nearest goal is taken: on the tabletop usually 2 to 3 cm away."""


def _token_rest(layout: TokenLayout, latents: Tensor, following: NDArray[np.int64]) -> float:
    """Return the difference up to which tokens without places agree."""
    some = torch.from_numpy(following)
    return REST * float(layout.differences(latents[some], latents[some + 1]).median())


class GoalMasks:
    """Draws masks for a `share` of the goals, over the tokens of latents (N, D). Tokens agree that have the same place;
    where tokens have no places, those that differ little."""

    def __init__(self, share: float, layout: TokenLayout, latents: Tensor, following: NDArray[np.int64]) -> None:
        """The next frame of the same episode is looked up in `following` (M,), frame numbers that have one."""
        self._share = share
        self._layout = layout
        self._same = SAME_PLACE**2 if layout.views else _token_rest(layout, latents, following)

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Return masks (count, K): 1 for the tokens that matter, 0 for the others. At least one matters."""
        order = (
            rng.random((count, self._layout.entities)).argsort(1).argsort(1)
        )  # each token's number in a random order
        few = rng.integers(1, 4, count)
        kept = np.where(rng.random(count) < SINGLE, self._layout.entities - 1, few)
        kept = np.where(rng.random(count) < self._share, kept, self._layout.entities)
        return torch.from_numpy((order < np.maximum(kept, 1)[:, None]).astype(np.float32))

    def few(self, wanted: Tensor) -> Tensor:
        """Return for which goals no more than three tokens are `wanted` (B, K), (B,) bool."""
        return (wanted.sum(1) <= 3) & (wanted.amin(1) == 0)

    def nearest(self, latents: Tensor, candidates: Tensor, wanted: Tensor) -> Tensor:
        """Return, for each of `latents` (B, D), which of its `candidates` (B, C, D) differs least from it in the tokens
        that are `wanted` (B, K) without agreeing with it, (B,)."""
        apart = (self._layout.differences(candidates, latents[:, None]) * wanted[:, None]).amax(2)
        return apart.masked_fill(apart <= self._same, torch.inf).argmin(1)

    def agree(self, latents: Tensor, goals: Tensor, wanted: Tensor) -> Tensor:
        """Return, for each of `latents` and `goals` (B, D), whether a token does not matter and those that are `wanted`
        (B, K) agree, (B,) bool."""
        apart = (self._layout.differences(latents, goals) * wanted).amax(1)
        return (wanted.amin(1) == 0) & (apart <= self._same)
