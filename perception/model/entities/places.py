"""Where a token's thing is: the last entries of each token, for each view its place across, down, and its size.

Places across and down run from −`keypoints.SPAN` at the left and at the top to `keypoints.SPAN`, and so does the size,
from nothing to the whole view, on a logarithmic scale. This is about the scale of the features before them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from perception.model.keypoints import SPAN

PLACE = 3
"""Numbers of a place: across, down, size."""
SAME_PLACE = 0.15
"""Things are in the same place that are at most this far apart in the pictures, where a picture is 2 × `SPAN` wide:
some 1.5 cm on the tabletop."""
SIZE_COUNTS = 8.0
"""How much more a view counts in which a thing is larger: in the other one it may be hidden, and its place a guess."""
SMALLEST = 1e-9
"""Added to the total weight of a slot in a view, which may be zero."""


def places_of(tokens: Tensor, views: int) -> Tensor:
    """Return the places (..., K, V, 3) in each of the `views` from `tokens` (..., K, d)."""
    return tokens[..., -PLACE * views :].unflatten(-1, (views, PLACE))


def place_distance(tokens: Tensor, others: Tensor, views: int) -> Tensor:
    """Return how far apart in the pictures the things of two sets of tokens (..., K, d) are, (..., K), in the units of
    places. Views in which a thing is seen both times count most."""
    places, other_places = places_of(tokens, views), places_of(others, views)
    smaller = torch.minimum(places[..., 2], other_places[..., 2])
    apart = ((places[..., :2] - other_places[..., :2]) ** 2).sum(-1)
    return (torch.softmax(SIZE_COUNTS * smaller, dim=-1) * apart).sum(-1).sqrt()


def pixels_of(places: Tensor, width: int, height: int) -> Tensor:
    """Return where `places` (..., V, 3) are in a picture of V views, stacked, each of `width` x `height` pixels:
    (..., V, 2) across and down from the upper left corner, within each place's own view."""
    share = (places[..., :2].clamp(-SPAN, SPAN) / SPAN + 1.0) / 2.0
    pixels = share * share.new_tensor([width, height])
    pixels[..., 1] += height * torch.arange(places.shape[-2])
    return pixels


def places_from(shares: Tensor) -> Tensor:
    """Return the places (B, K, V, 3) of slots that have these `shares` (B, K, V, H, W) of the cells of a picture."""
    # Squared: the small share that a slot has of everything would draw each centroid to the middle.
    weights = shares**2
    down, across = weights.sum(-1), weights.sum(-2)  # (B, K, V, H) and (B, K, V, W)
    total = across.sum(-1) + SMALLEST
    most = math.log1p(shares.shape[-1] * shares.shape[-2])
    size = (2.0 * shares.sum((-1, -2)).log1p() / most - 1.0) * SPAN
    return torch.stack([_centre(across, total), _centre(down, total), size], dim=-1)


def across_down(column: float, row: float, width: int, height: int) -> tuple[float, float]:
    """Return a place across and down from `column` and `row`, in pixels from the outer edge of the first, of a picture
    of `width` × `height` pixels."""
    return (2.0 * column / width - 1.0) * SPAN, (2.0 * row / height - 1.0) * SPAN


def column_row(across: float, down: float, width: int, height: int) -> tuple[float, float]:
    """Return the column and the row of a place, as `across_down` takes them."""
    return (across / SPAN + 1.0) * width / 2.0, (down / SPAN + 1.0) * height / 2.0


def cells(views: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the view (N,) of each of the N cells in a stack of pictures, and its place (N, 2) across and down."""
    view, down, across = torch.meshgrid(torch.arange(float(views)), _line(height), _line(width), indexing="ij")
    return view.long().flatten(), torch.stack([across, down], dim=-1).flatten(0, 2)


def _centre(weights: Tensor, total: Tensor) -> Tensor:
    return (weights * _line(weights.shape[-1]).to(weights.device)).sum(-1) / total


def _line(count: int) -> Tensor:
    """Return the places of the centres of `count` cells, which share a picture's side."""
    edges = torch.linspace(-SPAN, SPAN, count + 1)
    return (edges[1:] + edges[:-1]) / 2
