"""Whether a goal picture shows the hand. Where it does not, it cannot say where the hand should be."""

from __future__ import annotations

import torch
from torch import Tensor

from perception.model.entities.layout import TokenLayout
from perception.model.entities.places import places_of

FOLLOWS = 0.7
"""A token holds the hand if the arm's state explains this share of the variance of its places. For the tokens of the
hand it is 0.9, for those of the arm 0.5, and for things 0.3."""
VISIBLE = -0.55
"""A hand that is smaller than this in every view is not seen. In goals without the arm it is below -0.68, and in other
goals, also of tasks that raise the hand, above -0.4."""
FEWEST = 64
"""From fewer remembered states the shares are not known well."""


def hand_tokens(latents: Tensor, proprio: Tensor, layout: TokenLayout) -> Tensor:
    """Return which tokens hold the hand, (K,) bool, by how their places follow the arm's state in remembered states
    with these `latents` (N, D) and this scaled `proprio` (N, P); none where too few are remembered or tokens have no
    places."""
    if len(latents) < FEWEST or layout.views == 0:
        return torch.zeros(max(layout.entities, 1), dtype=torch.bool)
    places = places_of(layout.tokens(latents), layout.views)[..., :2].flatten(1)  # (N, K * V * 2)
    known = torch.cat([proprio, torch.ones(len(proprio), 1)], dim=1)
    left = places - known @ torch.linalg.lstsq(known, places, driver="gelsd").solution
    explained = 1.0 - left.var(0) / places.var(0).clamp(min=1e-6)
    return explained.unflatten(0, (layout.entities, -1)).mean(1) >= FOLLOWS


def shows_hand(latent: Tensor, hand: Tensor, layout: TokenLayout) -> bool:
    """Return whether the picture with this `latent` (D,) shows what the tokens `hand` (K,) hold; True where it is not
    known which these are."""
    if not bool(hand.any()):
        return True
    return bool(places_of(layout.tokens(latent)[hand], layout.views)[..., 2].amax() >= VISIBLE)
