"""Turns what an environment draws into pictures of bytes; a picture whose range is not known is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from robot.errors import ConfigurationError

BRIGHTEST = 255
PIXEL_KEYS = ("pixels", "image", "rgb")


class Pictures:
    """The pictures of the environment `name`: those in its observations, else those that it renders.

    Integers are from 0 to 255. Floats are from 0 to 1 or from 0 to 255: the observation space says which, where it has
    pictures of their type, or else the first picture that is not black. Every picture must be within that range.
    """

    def __init__(self, name: str, space: spaces.Space[Any]) -> None:
        self._name = name
        self._declared = _declared_range(space)
        self._found: int | None = None

    def as_bytes(self, picture: Any) -> NDArray[np.uint8]:
        """Return a picture as (H, W, 3) uint8 RGB. Raises `ConfigurationError` when it is none, or its numbers are out
        of range."""
        image = np.asarray(picture)
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ConfigurationError(
                f"{self._name!r} draws pictures of shape {image.shape}; worldarm needs colour, (H, W, 3)"
            )
        if image.dtype.kind not in "biuf":
            raise ConfigurationError(f"{self._name!r} draws pictures of {image.dtype}; worldarm needs uint8")
        top = self._top(image)
        if image.dtype == np.uint8 and top == BRIGHTEST:
            return image
        return np.rint(image * (BRIGHTEST / top)).astype(np.uint8)

    def _top(self, image: NDArray[Any]) -> int:
        """Return the number that stands for the brightest pixel of such pictures."""
        least, most = float(image.min()), float(image.max())
        declared = self._declared.get(image.dtype)
        floats = image.dtype.kind == "f"
        unit = image.dtype == bool or (floats and most <= 1)
        top = declared or (self._found if floats else None) or (1 if unit else BRIGHTEST)
        if not 0 <= least <= most <= top:
            raise self._refused(image, f"from {least:g} to {most:g}, and they should be from 0 to {top}")
        if floats and most > 0:
            if top == BRIGHTEST and self._found is None and most <= 1:
                raise self._refused(image, f"up to {most:g}, which is black where {BRIGHTEST} is declared as white")
            self._found = top
        return top

    def _refused(self, image: NDArray[Any], what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._name!r} draws pictures of {image.dtype} {what}: have it draw uint8 from 0 to {BRIGHTEST}"
        )


def picture_in(observation: Any) -> Any:
    """Return the picture in an observation, None when there is none."""
    if isinstance(observation, dict):
        return next((observation[key] for key in PIXEL_KEYS if key in observation), None)
    return observation if np.ndim(observation) == 3 else None


def _declared_range(space: spaces.Space[Any]) -> dict[np.dtype[Any], int]:
    """Return the largest number of the pictures in the observations, by their type; empty when the space has none."""
    part = space
    if isinstance(space, spaces.Dict):
        key = next((key for key in PIXEL_KEYS if key in space.spaces), None)
        if key is None:
            return {}
        part = space[key]
    if not isinstance(part, spaces.Box) or len(part.shape) != 3 or (part.low != 0).any():
        return {}
    return {np.dtype(part.dtype): top for top in (1, BRIGHTEST) if (part.high == top).all()}
