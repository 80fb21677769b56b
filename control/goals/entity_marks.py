"""Marks of the things that a model of entities sees, wants and imagines, for people: a name, and a place in each view.

What is decided does not depend on them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.goals.latent_goal import LatentGoal
from perception.model.encoders import LocatingEncoder
from perception.model.entities.names import HUES, token_colours
from perception.model.entities.places import pixels_of, places_of
from perception.model.world_model import WorldModel
from robot.wire.entity_mark import EntityMark, Points
from robot.wire.limits import MAX_MARKS, MAX_PATH

NAMED_EVERY = 5
"""Blocks after which the things are named again: naming takes as long as seeing does."""
_LOOKS_AT_IT = 0.3
"""The least saturation of what a token looks at, on average, if it holds a coloured thing: 0.5 and more is usual, while
a token of the arm that happens to take the edge of a thing has 0.1."""
_VIVID = 0.85

Names = Mapping[int, tuple[str, Sequence[bool]]]
"""The name of the thing that a token holds, and in which views it is seen, by the number of the token."""


class EntityMarker:
    """Marks the things that `model` sees. It marks none for a model whose tokens do not say where they look, and for
    one without tokens."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model
        self._encoder: LocatingEncoder | None = None
        if model.config.entities > 0 and isinstance(model.encoder, LocatingEncoder):
            self._encoder = model.encoder
        self._now: Names = {}
        self._goals: list[tuple[Tensor, NDArray[np.uint8]]] = []
        self._wanted: tuple[Tensor, Names] | None = None
        self._blocks = 0

    def begin(self, goals: Sequence[LatentGoal], pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Begin an episode with these `goals` and the pictures of them."""
        self._goals = [(goal.latent, picture) for goal, picture in zip(goals, pictures, strict=True)]
        self._now, self._wanted, self._blocks = {}, None, 0

    @torch.inference_mode()
    def marks(
        self, picture: NDArray[np.uint8], seen: Tensor, imagined: Tensor | None, goal: LatentGoal
    ) -> tuple[EntityMark, ...]:
        """Return the named things in a `picture` (V × H, W, 3) uint8 RGB, whose latent is `seen` (D,): their places
        there, along the `imagined` latents (T, D) of a plan and, unless they do not matter, in the `goal`.

        A goal without a picture was put together from tokens: in it, a thing is shown in the views in which it is seen
        now.
        """
        if self._encoder is None:
            return ()
        if self._blocks % NAMED_EVERY == 0:
            self._now = self._names(picture)
        self._blocks += 1
        wanted = self._names_in(goal)
        along = seen[None] if imagined is None else torch.cat([seen[None], imagined[:MAX_PATH]])
        now, *path = self._pixels(along)
        (there,) = self._pixels(goal.latent[None])
        matters = [True] * len(there) if goal.wanted is None else (goal.wanted > 0).tolist()
        marks = []
        for token, (name, views) in list(self._now.items())[:MAX_MARKS]:
            known, visible = wanted.get(token, ("", ()))
            marks.append(
                EntityMark(
                    name=name,
                    colour=_colour(name),
                    now=_where(now[token], views),
                    wanted=_where(there[token], visible) if matters[token] and known == name else (),
                    path=tuple(_where(step[token], views) for step in path),
                )
            )
        return tuple(marks)

    def _names_in(self, goal: LatentGoal) -> Names:
        """Return the names of the tokens of a goal, found once for all goals of one picture."""
        if self._wanted is None or self._wanted[0] is not goal.latent:
            pictures = [picture for latent, picture in self._goals if latent is goal.latent]
            self._wanted = goal.latent, self._names(pictures[0]) if pictures else self._now
        return self._wanted[1]

    def _names(self, picture: NDArray[np.uint8]) -> Names:
        """Return the name of each token that holds a coloured thing, in the views in which it holds most of it."""
        assert self._encoder is not None, "marks() has checked"
        stills = torch.from_numpy(picture)[None, None].expand(-1, self._model.encoder.frames, -1, -1, -1)
        colours = token_colours(picture, self._encoder.attention(stills)[0])
        saturation = 1.0 - colours.rgb.amin(-1) / colours.rgb.amax(-1).clamp(min=1e-6)
        names: dict[int, tuple[str, Sequence[bool]]] = {}
        for token, looks_at_it in enumerate((saturation >= _LOOKS_AT_IT).tolist()):
            if looks_at_it and (name := colours.label(token)):
                names[token] = name, colours.mainly_holding(name)[token].tolist()
        return names

    def _pixels(self, latents: Tensor) -> list[list[list[list[float]]]]:
        """Return the pixels (T, K, V, 2) of the tokens' places in `latents` (T, D)."""
        config = self._model.config
        tokens = latents.unflatten(-1, (config.entities, -1))
        pixels: list[list[list[list[float]]]] = pixels_of(places_of(tokens, config.views), *config.picture).tolist()
        return pixels


def _where(pixels: Sequence[Sequence[float]], views: Sequence[bool]) -> Points:
    """Return the `pixels` (V, 2) of a token in the `views` in which its thing is seen."""
    return tuple((across, down) if seen else None for (across, down), seen in zip(pixels, views, strict=True))


def _colour(name: str) -> tuple[int, int, int]:
    """Return a strong RGB colour called `name`."""
    begin = 0.0
    for each, end in HUES:
        if each == name:
            hue = 0.0 if name == "red" else (begin + end) / 2
            red, green, blue = colorsys.hsv_to_rgb(hue / 360, _VIVID, _VIVID)
            return round(255 * red), round(255 * green), round(255 * blue)
        begin = end
    raise ValueError(f"no hue is called {name!r}")
