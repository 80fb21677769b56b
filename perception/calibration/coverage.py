"""The views of the board that a calibration has and still needs. The board must be seen all over the picture and at an
angle; otherwise focal length, distortion and distance cannot be separated."""

from __future__ import annotations

import math

import cv2
import numpy as np

from perception.calibration.board_finder import View
from perception.camera.framing import GUESSED_FIELD_OF_VIEW

LEAST_VIEWS = 10
LEAST_TILT = 15.0
"""Degrees by which the board must be tilted away from the camera, in each of four directions."""
LEAST_CHANGE = 0.04
"""Least mean distance, as a share of the picture's width, between a view's corners and those of each earlier view."""

_ROWS = ("upper", "middle", "lower")
_COLUMNS = ("left", "centre", "right")
_WAYS = ("left", "right", "up", "down")


class Coverage:
    """The different views of the board in pictures of one size, and what is still missing."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self._cells: set[tuple[int, int]] = set()
        self._tilts: set[str] = set()

    def add(self, view: View) -> bool:
        """Add `view` and return True; return False, with nothing changed, when a similar view was added before."""
        if any(_similar(view, earlier) for earlier in self.views):
            return False
        self.views.append(view)
        thirds = np.clip(3 * view.pixels // np.array(view.size, np.float32), 0, 2).astype(int)
        self._cells |= {(row, column) for column, row in thirds.tolist()}
        self._tilts |= _tilts(view)
        return True

    @property
    def missing(self) -> list[str]:
        """The views that are still needed, as text; empty when there are enough."""
        needed = [
            f"the {_ROWS[row]} {_COLUMNS[column]} of the picture"
            for row in range(3)
            for column in range(3)
            if (row, column) not in self._cells
        ]
        needed += self.missing_tilts
        if len(self.views) < LEAST_VIEWS:
            needed.append(f"{LEAST_VIEWS - len(self.views)} more views")
        return needed

    @property
    def missing_tilts(self) -> list[str]:
        """The directions in which the board has not been tilted yet."""
        return [f"the board facing {way}" for way in _WAYS if way not in self._tilts]


def moved(view: View, earlier: View) -> float:
    """Return the mean distance (px) between the corners that both views show; infinite when they share none."""
    shared, here, there = np.intersect1d(view.ids, earlier.ids, return_indices=True)
    if len(shared) == 0:
        return math.inf
    return float(np.linalg.norm(view.pixels[here] - earlier.pixels[there], axis=1).mean())


def _similar(view: View, earlier: View) -> bool:
    return moved(view, earlier) < LEAST_CHANGE * view.size[0]


def _tilts(view: View) -> set[str]:
    """Return the directions in which the board is tilted, estimated with a typical lens before the true one is
    known."""
    width, height = view.size
    focal = width / 2 / math.tan(math.radians(GUESSED_FIELD_OF_VIEW) / 2)
    guess = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    found, turn, _ = cv2.solvePnP(view.points, view.pixels, guess, np.zeros(5), flags=cv2.SOLVEPNP_IPPE)
    if not found:
        return set()
    facing = -np.asarray(cv2.Rodrigues(turn)[0])[:, 2]  # out of the paper, towards the camera
    least = math.sin(math.radians(LEAST_TILT))
    ways = {"left": -facing[0], "right": facing[0], "up": -facing[1], "down": facing[1]}
    return {way for way, share in ways.items() if share > least}
