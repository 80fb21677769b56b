"""Checks that every training's settings share. Their errors name an option as the command line spells it."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from robot.errors import ConfigurationError


def flat_settings(part: str, settings: Any) -> dict[str, str | int | float]:
    """Return every number and word in `settings`, a struct or a dataclass, by its dotted name: `part`, its field, and
    the field within that when it is a struct itself. None is left out; a tuple's entries are joined by "x"."""
    flat: dict[str, str | int | float] = {}
    for key, value in msgspec.to_builtins(settings).items():
        if isinstance(value, dict):
            flat.update({f"{part}.{key}.{inner}": number for inner, number in value.items()})
        elif value is not None:
            flat[f"{part}.{key}"] = "x".join(map(str, value)) if isinstance(value, list | tuple) else value
    return flat


def require_schedule(part: str, steps: int, batch: int, learning_rate: float) -> None:
    """Raise `ConfigurationError` unless `part` can be trained with these numbers."""
    if steps < 1:
        raise ConfigurationError(f"{_option(part)}.steps is {steps}; at least one step must be taken")
    if batch < 1:
        raise ConfigurationError(f"{_option(part)}.batch is {batch}; it must be at least 1")
    if not learning_rate > 0:
        raise ConfigurationError(f"{_option(part)}.learning-rate must be above 0, not {learning_rate:g}")


def require_clip(part: str, clip: int) -> None:
    """Raise `ConfigurationError` unless a clip of `clip` frames holds an action."""
    if clip < 2:
        raise ConfigurationError(f"{_option(part)}.clip is {clip}; an action needs a frame before and after")


def require_positive(part: str, **numbers: int) -> None:
    """Raise `ConfigurationError` unless each of `numbers`, settings of `part` by name, is at least 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ConfigurationError(f"{_option(part)}.{_option(name, '')} is {number}; it must be at least 1")


def require_finite(part: str, settings: Any) -> None:
    """Raise `ConfigurationError` unless every number in `settings` is finite and not negative."""
    for name, value in flat_settings(part, settings).items():
        if not isinstance(value, str) and not 0 <= value < math.inf:
            raise ConfigurationError(f"{_option(name)} must be 0 or more and finite, not {value:g}")


def _option(name: str, dashes: str = "--") -> str:
    """Return a setting's dotted `name` as the command line spells it."""
    return dashes + name.replace("_", "-")
