"""A painter of entities: training requires that the coarse colours of a picture can be painted from its tokens, each of
which paints its own thing.

Every token paints a colour everywhere, and a mask that says where its colour counts (after Watters et al., "Spatial
broadcast decoder", 2019). No token paints over another's thing for free, so that each comes to hold one thing. The
planner does not use it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.model.entities.places import cells, places_of
from perception.model.keypoints import SPAN
from perception.model.losses.colour_decoder import COARSER, SCALE, colours

HIDDEN = 64
POSITIONS = 256
"""The number of random places in a picture that are painted in one step."""
COLOURED = 8.0
"""Additional weight of a fully saturated colour: the things that matter are small and coloured."""
FREQUENCIES = (1.0, 2.0, 4.0, 8.0)
"""Waves across the picture by which a place is described, in turns of half a picture."""
WIDTHS = (0.15, 0.4, 1.0)
"""Standard deviations of the bumps about a token's place that it paints with, in coordinates from −`SPAN` to `SPAN`. To
paint a small thing with them, a token's place must be exact."""


class Painter(nn.Module):
    """Tokens (B, K, d) → the error of the colours that they paint. `views` pictures of `height` × `width` pixels are
    stacked."""

    view: Tensor
    cells: Tensor

    def __init__(self, views: int, height: int, width: int, token: int) -> None:
        super().__init__()
        self.views = views
        view, places = cells(views, height // COARSER, width // COARSER)
        self.register_buffer("view", view, persistent=False)
        self.register_buffer("cells", places, persistent=False)
        self.enter = nn.Linear(token, HIDDEN)
        self.there = nn.Linear(views + 2 + 4 * len(FREQUENCIES), HIDDEN, bias=False)
        self.near = nn.Linear(len(WIDTHS), HIDDEN, bias=False)
        self.body = nn.Sequential(nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 4))

    def forward(self, tokens: Tensor, pictures: Tensor) -> Tensor:
        """Return the mean squared error in painting `pictures` (B, H, W, 3) uint8 at some random places, weighted by
        1 + `COLOURED` × saturation, in units of `colour_decoder.SCALE`."""
        chosen = torch.randint(len(self.cells), (POSITIONS,)).to(tokens.device)
        wanted = colours(pictures).flatten(2)[:, :, chosen].transpose(1, 2)  # (B, N, 3)
        saturation = SCALE * (wanted.amax(-1) - wanted.amin(-1))
        weight = 1.0 + COLOURED * saturation
        error = ((self.paint(tokens, chosen) - wanted) ** 2).mean(-1)
        return (weight * error).sum() / weight.sum()

    def paint(self, tokens: Tensor, chosen: Tensor) -> Tensor:
        """Return what the tokens paint in the `chosen` cells (N,), as colours (B, N, 3) in units of `SCALE`."""
        view, cell = self.view[chosen], self.cells[chosen]
        centre = places_of(tokens, self.views)[:, :, view, :2]  # (B, K, N, 2)
        away = ((cell - centre) ** 2).sum(-1, keepdim=True)
        bumps = torch.exp(-0.5 * away / tokens.new_tensor(WIDTHS) ** 2)
        known = self.there(self._described(view, cell)) + self.near(bumps) + self.enter(tokens).unsqueeze(2)
        painted = self.body(known).float()
        return (torch.softmax(painted[..., 3:], dim=1) * painted[..., :3]).sum(1)

    def _described(self, view: Tensor, cell: Tensor) -> Tensor:
        """Return a description (N, P) of cells: the view, the place, and waves across and down."""
        turns = (torch.pi / SPAN * cell.new_tensor(FREQUENCIES) * cell.unsqueeze(-1)).flatten(1)
        return torch.cat([functional.one_hot(view, self.views).float(), cell, turns.sin(), turns.cos()], dim=-1)
