"""Goals that are put together from entity tokens: the tokens of some things matter, and all others do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.goals.latent_goal import LatentGoal
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
    held = torch.stack([seen.holders(name).any(-1) for name in names])
    return LatentGoal(latent, held.any(0).to(latent.dtype), layout_of(model.encoder))


@torch.inference_mode()
def things_in(model: WorldModel, heads: HeadsConfig, picture: NDArray[np.uint8]) -> list[Tensor]:
    """Return a mask (K,) for each thing that `picture` (V × H, W, 3) uint8 RGB shows, with 1 for the tokens that hold
    it: for each colour that tokens hold. Raises `GoalError` as `tokens_in` does."""
    latent, seen = tokens_in(model, heads, picture)
    masks = (seen.holding(name).any(-1) for name in seen.seen)
    return [mask.to(latent.dtype) for mask in masks if bool(mask.any())]


def tokens_in(model: WorldModel, heads: HeadsConfig, picture: NDArray[np.uint8]) -> tuple[Tensor, TokenColours]:
    """Return the latent (D,) of `picture` and the colours of its tokens. Raises `GoalError` for a model that cannot
    leave things out of a goal."""
    encoder = _locating(model, heads)
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
