"""The page's initial viewpoint, and the projection of positions onto the screen from there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector

POSITION = (1.3, -0.4, 1.1)
LOOK_AT = (0.35, 0.0, 0.25)
FIELD_OF_VIEW = math.radians(75.0)


def on_screen(place: Vector, width: int, height: int) -> tuple[float, float]:
    """Return the pixel (right, down) of the position `place` (3,) m from the initial viewpoint, in a picture of
    `width` × `height` pixels."""
    right, down = all_on_screen(np.asarray(place)[None], width, height)[0]
    return float(right), float(down)


def all_on_screen(places: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return the pixels (N, 2), right and down, at which `places` (N, 3) m are seen at first."""
    forward = np.subtract(LOOK_AT, POSITION)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right = right / np.linalg.norm(right)
    up = np.cross(right, forward)
    offset = places - POSITION
    scale = 0.5 * height / math.tan(0.5 * FIELD_OF_VIEW) / (offset @ forward)
    return np.stack([0.5 * width + scale * (offset @ right), 0.5 * height - scale * (offset @ up)], axis=1)
