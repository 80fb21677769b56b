"""Turns a camera's pictures into ones to look at, whatever their channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def as_colour(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a picture (H, W, 1, 3 or 4) as (H, W, 3) uint8 RGB; the largest number of 16-bit depth becomes white."""
    if picture.dtype != np.uint8:
        picture = (picture * (255.0 / max(1, int(picture.max())))).astype(np.uint8)
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[..., :3]
