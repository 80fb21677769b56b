"""Refuses a card that asks for a model of impossible sizes, before anything of these sizes is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from perception.checkpoint.card import Card
from robot.errors import CheckpointError
from robot.system.bounds import (
    MAX_CONVENTION_SIZE,
    MAX_LANDMARKS,
    MAX_LAYER_SIZE,
    MAX_LAYERS,
    MAX_PICTURE_PIXELS,
    MAX_PICTURE_SIDE,
)


def require_possible(card: Card, folder: Path) -> None:
    """Raise `CheckpointError` when the card in `folder` gives a size that no model has."""
    for name, value, least, most in _sizes(card):
        if not least <= value <= most:
            raise CheckpointError(
                f"the card in {folder} describes an impossible model: {name} is {value}, and must be from {least} to "
                f"{most}; train again"
            )


def _sizes(card: Card) -> Iterator[tuple[str, float, float, float]]:
    """Yield name, value, least and largest value of each size in the card."""
    model, heads = card.world_model, card.heads
    yield "height", model.height, 1, MAX_PICTURE_SIDE
    yield "width_px", model.width_px, 1, MAX_PICTURE_SIDE
    yield "height times width_px", model.height * model.width_px, 1, MAX_PICTURE_PIXELS
    yield "views", model.views, 1, MAX_LAYERS
    yield "proprio", model.proprio, 0, MAX_CONVENTION_SIZE
    yield "action", model.action, 0, MAX_CONVENTION_SIZE
    yield "latent", model.latent, 1, MAX_LAYER_SIZE
    yield "width", model.width, 1, MAX_LAYER_SIZE
    yield "blocks", model.blocks, 0, MAX_LAYERS
    yield "keypoints", model.keypoints, 0, MAX_CONVENTION_SIZE
    yield "context", model.context, 1, 2
    yield "entities", model.entities, 0, MAX_CONVENTION_SIZE
    yield "dropout", model.dropout, 0.0, 1.0
    yield "the number of binary entries", len(model.binary), 0, MAX_CONVENTION_SIZE
    yield "the number of commanded entries", len(model.commands), 0, MAX_CONVENTION_SIZE
    yield "discount", heads.discount, 0.0, 1.0 - 1e-9  # values are up to 1 / (1 - discount)
    yield "landmarks", heads.landmarks, 0, MAX_LANDMARKS
    yield "components", heads.components, 1, MAX_LAYER_SIZE
    yield "features", heads.features, 0, MAX_LAYER_SIZE
    yield "hidden", heads.hidden, 1, MAX_LAYER_SIZE
    if (errors := card.picture_errors) is not None:
        for name, quantiles in (("difference", errors.difference), ("dissimilarity", errors.dissimilarity)):
            for which in quantiles.__struct_fields__:
                yield f"picture_errors.{name}.{which}", getattr(quantiles, which), 0.0, 2.0
        yield "picture_errors.pictures", errors.pictures, 1, math.inf
