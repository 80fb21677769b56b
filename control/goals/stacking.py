"""Which things stand on which, from the places of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

from torch import Tensor

from perception.model.entities.layout import TokenLayout
from perception.model.entities.places import places_of

SAME_COLUMN = 0.4
"""Things are above one another that are at most this far apart across each picture, where a picture is 4 wide: some
4 cm on the tabletop."""
HIGHER = 0.2
"""A thing on another one is seen this much higher up at least."""
LEAST_VIEWS = 2
"""A single camera cannot tell a thing on another one from a thing behind it."""


def stacked(latent: Tensor, layout: TokenLayout, things: Mapping[str, Tensor]) -> frozenset[tuple[str, str]]:
    """Return the pairs (upper, lower) of `things` of which the picture with this `latent` (D,) shows the first above
    the second. `things` are masks (K,) of the tokens that hold each. Where fewer than two cameras see them, there are
    none."""
    if layout.views < LEAST_VIEWS:
        return frozenset()
    places = places_of(layout.tokens(latent), layout.views)[..., :2]  # (K, V, 2)
    middles = {name: (places * mask[:, None, None]).sum(0) / mask.sum() for name, mask in things.items()}
    pairs = permutations(middles, 2)
    return frozenset((upper, lower) for upper, lower in pairs if _above(middles[upper] - middles[lower]))


def _above(apart: Tensor) -> bool:
    """Return whether a thing is above another one that it is `apart` (V, 2) from, across and down."""
    return bool((apart[:, 0].abs() <= SAME_COLUMN).all() and (apart[:, 1] <= -HIGHER).all())
