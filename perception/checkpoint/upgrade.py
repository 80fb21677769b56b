"""Reads what older versions of worldarm wrote: cards of earlier schemas, and settings under their earlier names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

OLDEST = 2
"""The earliest schema of a card that can be upgraded."""

_Value = TypeVar("_Value")
_HEADS = ("discount", "landmarks", "components", "features", "hidden")


def upgraded_card(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card of any schema from `OLDEST` on says, in the terms of the present schema. What is missing or
    wrong in it stays so, for the decoder to refuse."""
    card = dict(said)
    if card["schema"] == 2:
        _from_2_to_3(card)
    return card


def upgraded_settings(settings: Mapping[str, _Value]) -> dict[str, _Value]:
    """Return a training's settings under their present names."""
    return {name.replace("world_model.looks.", "world_model.augmentation."): each for name, each in settings.items()}


def _from_2_to_3(card: dict[str, Any]) -> None:
    """Schema 2 called the embodiment a recipe, and held the sizes of critic and actor as loose numbers."""
    card["schema"] = 3
    if "recipe" in card:
        card["embodiment"] = card.pop("recipe")
    card["heads"] = {name: card.pop(name) for name in _HEADS if name in card}
    provenance = card.get("provenance")
    if isinstance(provenance, dict) and isinstance(settings := provenance.get("settings"), dict):
        card["provenance"] = {**provenance, "settings": upgraded_settings(settings)}
