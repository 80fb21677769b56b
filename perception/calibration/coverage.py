"""Which views of the board a calibration has, and which it still needs: it must be seen all over the picture, and from
aside, or focal length and distortion cannot be told from each other and from the distance."""

from __future__ import annotations

import math

import cv2
import numpy as np

from perception.calibration.board_finder import View
from perception.camera.framing import GUESSED_FIELD_OF_VIEW

LEAST_VIEWS = 10
LEAST_TILT = 15.0
"""Degrees that the board must be turned away from the camera, each of four ways."""
LEAST_CHANGE = 0.04
"""Mean distance, as a share of the picture's width, of a view's corners from where each earlier view had them."""

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
        """Take in `view`; False, and nothing changes, when one like it is there already."""
        if any(_alike(view, earlier) for earlier in self.views):
            return False
        self.views.append(view)
        thirds = np.clip(3 * view.pixels // np.array(view.size, np.float32), 0, 2).astype(int)
        self._cells |= {(row, column) for column, row in thirds.tolist()}
        self._tilts |= _tilts(view)
        return True

    @property
    def missing(self) -> list[str]:
        """What is still needed, in words; empty when there is enough."""
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
        """The ways in which the board was not turned yet."""
        return [f"the board facing {way}" for way in _WAYS if way not in self._tilts]


def moved(view: View, earlier: View) -> float:
    """Return how far (px, mean) the corners that both views show are apart; infinite when they share none."""
    shared, here, there = np.intersect1d(view.ids, earlier.ids, return_indices=True)
    if len(shared) == 0:
        return math.inf
    return float(np.linalg.norm(view.pixels[here] - earlier.pixels[there], axis=1).mean())


def _alike(view: View, earlier: View) -> bool:
    return moved(view, earlier) < LEAST_CHANGE * view.size[0]


def _tilts(view: View) -> set[str]:
    """The ways in which the board is turned, seen through a usual lens: near enough, before the true one is known."""
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
