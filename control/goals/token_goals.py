"""Goals that are put together from entity tokens: the tokens of some things matter, and all others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.goals.latent_goal import LatentGoal, goal_of_things
from perception.checkpoint.card import HeadsConfig
from perception.model.encoders import LocatingEncoder
from perception.model.entities.layout import layout_of
from perception.model.entities.names import TokenColours, token_colours
from perception.model.world_model import WorldModel
from robot.errors import GoalError


@torch.inference_mode()
def only_things(model: WorldModel, heads: HeadsConfig, picture: NDArray[np.uint8], names: Sequence[str]) -> LatentGoal:
    """Return the goal that the things `names` are where `picture` (V × H, W, 3) uint8 RGB shows them.

    Raises `GoalError` for a model that cannot leave things out of a goal, and for a name without a colour, and
    `ThingNotFound` for a thing that the model does not find in the picture.
    """
    latent, seen = tokens_in(model, heads, picture)
    named = {name: seen.holders(name).any(-1).to(latent.dtype) for name in names}
    return goal_of_things(latent, layout_of(model.encoder), {**things_in(seen, latent), **named}, names)


@torch.inference_mode()
def whole_picture(model: WorldModel, picture: NDArray[np.uint8]) -> LatentGoal:
    """Return the goal that all is as `picture` (V × H, W, 3) uint8 RGB shows it. Its things are those that tokens hold,
    by colour; none for a model that does not say where its tokens look."""
    layout = layout_of(model.encoder)
    if model.config.entities == 0 or not isinstance(model.encoder, LocatingEncoder):
        return LatentGoal(model.encode(torch.from_numpy(picture[None]))[0], layout=layout)
    latent, seen = _looked_at(model, model.encoder, picture)
    return LatentGoal(latent, None, layout, things_in(seen, latent))


def things_in(seen: TokenColours, latent: Tensor) -> Mapping[str, Tensor]:
    """Return a mask (K,) for each colour that tokens of `latent` hold: 1 for those that hold most of it in a view. A
    colour is no thing of its own if the tokens of a commoner colour hold it: at the edge between red and yellow things
    some cells are orange."""
    things: dict[str, Tensor] = {}
    known = torch.zeros(len(seen.rgb), dtype=torch.bool)
    for name in seen.seen:
        held = seen.mainly_holding(name).any(-1)
        if bool((held & ~known).any()):
            things[name] = held.to(latent.dtype)
        known |= held
    return things


def tokens_in(model: WorldModel, heads: HeadsConfig, picture: NDArray[np.uint8]) -> tuple[Tensor, TokenColours]:
    """Return the latent (D,) of `picture` and the colours of its tokens. Raises `GoalError` for a model that cannot
    leave things out of a goal."""
    return _looked_at(model, _locating(model, heads), picture)


def _looked_at(model: WorldModel, encoder: LocatingEncoder, picture: NDArray[np.uint8]) -> tuple[Tensor, TokenColours]:
    stills = torch.from_numpy(picture)[None, None].expand(-1, model.encoder.frames, -1, -1, -1)
    return model.encode_clips(stills)[0], token_colours(picture, encoder.attention(stills)[0])


def _locating(model: WorldModel, heads: HeadsConfig) -> LocatingEncoder:
    """Return the model's encoder. Raises as `tokens_in`."""
    if model.config.entities == 0:
        raise GoalError(
            "a goal of some things only needs a model of entity tokens, and this one has a flat latent: train one with "
            "--sizes.entities 7 --heads.masks 0.65"
        )
    if not heads.masked:
        raise GoalError(
            "this model never learnt goals of which only some things matter: train its critic and actor with "
            "--heads.masks 0.65"
        )
    if not isinstance(model.encoder, LocatingEncoder):
        raise GoalError(
            f"the encoder {model.config.named_encoder.name!r} does not say where its tokens look, so no thing can be "
            "found by its name: train with --sizes.encoder entities"
        )
    return model.encoder
