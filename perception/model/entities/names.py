"""The names of entity tokens: each is called by the colour of what it holds in a picture.

Nothing but the colour is known of a thing. So `red_cube` means what is red, and a shape in a name has no influence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robot.errors import GoalError, ThingNotFound

HUES = (
    *(("red", 16.0), ("orange", 40.0), ("yellow", 66.0), ("green", 165.0), ("cyan", 200.0), ("blue", 255.0)),
    *(("purple", 290.0), ("magenta", 340.0), ("red", 360.0)),
)
"""The names of hues, each with the degrees at which it ends."""
COLOURS = tuple(dict.fromkeys(name for name, _ in HUES))
VIVID = 0.4
"""Cells of at least this saturation have a colour; table, arm and ground are greyer."""
BRIGHT = 0.15
"""Darker cells have no colour, because their hue is noise."""
FEWEST = 3
"""A colour that fewer cells of a view have is not seen there."""
HELD = 1 / 2
"""A token holds a colour if it takes at least this share of the colour's cells in a view."""
LEAST = 1 / 3
"""Where no token takes so much, the best one holds the colour if it takes at least this share of its cells."""
COLOURED = 8.0
"""Additional weight of a fully saturated cell in a token's mean colour, so that the ground beside a thing counts less
than the thing."""
LONGEST = 40
"""A longer name is cut in messages."""


@dataclass(frozen=True)
class TokenColours:
    """The colours of K tokens in one picture of V views.

    `rgb` (K, 3) is the mean colour in [0, 1] of what each looks at. `seen` are the names of the C colours in the
    picture, the commonest first, and `covered` (C, K, V) is the share of each colour's cells in each view that each
    token takes: 0 in a view that does not show the colour. `area` (C, V) is the share of each view that has the colour.
    """

    rgb: Tensor
    seen: tuple[str, ...]
    covered: Tensor
    area: Tensor

    def holders(self, name: str) -> Tensor:
        """Return which tokens hold the thing `name` in which views, (K, V) bool: any name with one colour in it, such
        as `red` or `red_cube`.

        That is each token with a share of at least `HELD`, or the best one if it has `LEAST`. Raises `GoalError` for a
        name without a colour, or with several, and `ThingNotFound` for a thing that is not seen or that no token holds.
        """
        number = self._number(name)
        held = self._held(number)
        if not bool(held.any()):
            raise ThingNotFound(
                f"no token holds what is {self.seen[number]}: the best one takes "
                f"{100 * self.covered[number].max():.0f} % of it; {self._choose()}"
            )
        return held

    def mainly_holding(self, name: str) -> Tensor:
        """Return which tokens hold what has the colour `name`, one of those `seen`, in the views in which they take
        most of it, (K, V) bool."""
        number = self.seen.index(name)
        tokens = torch.arange(len(self.rgb)).unsqueeze(1)
        return self._held(number) & (self.covered[number].argmax(0) == tokens)

    def size(self, name: str) -> Tensor:
        """Return the share (V,) of each view that has the colour of the thing `name`. Raises as `holders`."""
        return self.area[self._number(name)]

    def label(self, token: int) -> str:
        """Return the name of the colour that `token` holds, that of which it takes most if it holds several, "" if it
        holds none."""
        held = {
            name: float(self.covered[number, token].max())
            for number, name in enumerate(self.seen)
            if bool(self._held(number)[token].any())
        }
        return max(held, key=lambda name: held[name], default="")

    def _held(self, number: int) -> Tensor:
        """Return which tokens hold the colour `number` in which views, (K, V) bool."""
        covered = self.covered[number]
        best = covered.max()
        return covered >= (HELD if best >= HELD else max(float(best), LEAST))

    def _number(self, name: str) -> int:
        """Return the number among `seen` of the colour in `name`. Raises as `holders`."""
        said = sorted({word for word in re.split(r"[^a-z]+", name.lower()) if word in COLOURS})
        if len(said) != 1:
            how_many = f"{len(said)} colours" if said else "no colour"
            raise GoalError(
                f"{name[:LONGEST]!r} names {how_many}; a thing is named by one colour, as in red or red_cube; "
                f"{self._choose()}"
            )
        if said[0] not in self.seen:
            raise ThingNotFound(f"nothing {said[0]} is in the picture; {self._choose()}")
        return self.seen.index(said[0])

    def _choose(self) -> str:
        return f"seen are {', '.join(self.seen)}" if self.seen else "no coloured thing is seen"


def token_colours(picture: NDArray[np.uint8], shares: Tensor) -> TokenColours:
    """Return the colours of tokens that take these `shares` (K, V, H, W) of the cells of a `picture` (V × h, w, 3)
    uint8 RGB, in which V views are stacked."""
    views, height, width = shares.shape[1:]
    # Each cell has the mean colour of its pixels.
    small = np.stack(
        [cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA) for view in np.split(picture, views)]
    )
    cells = small.reshape(views * height, width, 3).astype(np.float32) / 255
    hue, saturation, value = (
        torch.from_numpy(each.reshape(views, height, width).copy())
        for each in cv2.split(cv2.cvtColor(cells, cv2.COLOR_RGB2HSV))
    )
    vivid = (saturation >= VIVID) & (value >= BRIGHT)
    of_colour = {name: vivid & _within(hue, name) for name in COLOURS}
    counts = {name: cells.sum((-1, -2)) for name, cells in of_colour.items()}
    seen = sorted(
        (name for name in COLOURS if int(counts[name].max()) >= FEWEST), key=lambda name: -int(counts[name].sum())
    )
    covered = [
        (shares * of_colour[name]).sum((-1, -2)) / counts[name].clamp(min=1) * (counts[name] >= FEWEST) for name in seen
    ]
    weights = (shares**2 * (1.0 + COLOURED * saturation)).flatten(1)
    rgb = weights @ torch.from_numpy(cells).reshape(-1, 3) / weights.sum(1, keepdim=True)
    if not seen:
        return TokenColours(rgb, (), shares.new_zeros(0, len(shares), views), shares.new_zeros(0, views))
    area = torch.stack([counts[name] for name in seen]) / (height * width)
    return TokenColours(rgb, tuple(seen), torch.stack(covered), area)


def _within(hue: Tensor, name: str) -> Tensor:
    """Return where `hue`, in degrees, has this name."""
    found = torch.zeros_like(hue, dtype=torch.bool)
    begin = 0.0
    for each, end in HUES:
        if each == name:
            found |= (hue >= begin) & (hue < end)
        begin = end
    return found
