"""Finds the board in pictures, or the reason why it was not found: no board, too little of it, another board, or a
mirrored picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from perception.camera.board import Board, charuco
from robot.errors import CalibrationError

LEAST_CORNERS = 8
"""The least number of the board's corners in a view: fewer constrain the lens little, and collinear ones not at all."""
MIRRORED = "a mirrored board"
_LEAST_AREA = 4.0
# A wide lens bends the image of a near board by a tenth of a square, and by more at the edge of the picture.
_MOST_BENT = 0.3


@dataclass(frozen=True)
class View:
    """The board in one picture: `ids` (k,) of the visible corners, their positions in the picture `pixels` (k, 2) and
    in the board's frame `points` (k, 3) m, and the picture's `size` (width, height)."""

    ids: NDArray[np.int32]
    pixels: NDArray[np.float32]
    points: NDArray[np.float32]
    size: tuple[int, int]


@dataclass(frozen=True)
class Detection:
    """The result for one picture: a `view` of the board, or the `reason` why there is none."""

    view: View | None
    reason: str = ""


class BoardFinder:
    """Finds `board` in pictures. The reasons of `Detection` are "no board", "too little of the board", "another board"
    and `MIRRORED`."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._corners = board.corners
        self._markers = board.columns * board.rows // 2
        refined = cv2.aruco.DetectorParameters()
        refined.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        self._detector = cv2.aruco.CharucoDetector(charuco(board), cv2.aruco.CharucoParameters(), refined)

    def find(self, picture: NDArray[np.uint8]) -> Detection:
        """Search `picture`, (H, W, 3) uint8 in BGR or RGB, or (H, W) grey, for the board."""
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        sight = self._search(grey)
        if sight.view is None and self._search(cv2.flip(grey, 1)).view is not None:
            return Detection(None, MIRRORED)
        return sight

    def _search(self, grey: NDArray[Any]) -> Detection:
        pixels, ids, _, markers = self._detector.detectBoard(grey)
        seen = [] if markers is None else np.asarray(markers).ravel().tolist()
        strange = sum(number >= self._markers for number in seen)
        if strange > len(seen) / 4:
            return Detection(None, "another board")
        if ids is None or len(ids) < LEAST_CORNERS:
            # All its markers may be visible and still not match, when they are those of a board of another shape.
            many = len(seen) >= 0.6 * self._markers or len(seen) > LEAST_CORNERS
            return Detection(None, "another board" if many else "too little of the board" if seen else "no board")
        numbers = np.asarray(ids, np.int32).ravel()
        view = View(
            numbers,
            np.asarray(pixels, np.float32).reshape(-1, 2),
            self._corners[numbers],
            (grey.shape[1], grey.shape[0]),
        )
        if not _spans_area(view):
            return Detection(None, "too little of the board")
        return Detection(view) if self._flat(view) else Detection(None, "another board")

    def _flat(self, view: View) -> bool:
        """Return whether the corners lie as those of a flat board, up to the distortion of a lens."""
        plane, _ = cv2.findHomography(view.pixels, view.points[:, :2], cv2.LMEDS)
        if np.shape(plane) != (3, 3):  # no homography: the corners are collinear
            return False
        there = cv2.perspectiveTransform(view.pixels.reshape(-1, 1, 2), plane).reshape(-1, 2)
        miss = np.linalg.norm(there - view.points[:, :2], axis=1)
        return bool(np.percentile(miss, 80) < _MOST_BENT * self.board.square_m)


class LayoutFinder:
    """Finds a board whose layout is not known. The first picture that fits one layout only decides; `board` has it.

    A picture without the board's right or left edge may fit both: one layout is the other, moved by a square. Such a
    view serves the computation of a lens as well, since that finds the board's pose with it.
    """

    def __init__(self, board: Board) -> None:
        # With an odd number of rows, both layouts are the same.
        layouts = (False, True) if board.rows % 2 == 0 else (board.legacy,)
        self._candidates = [BoardFinder(msgspec.structs.replace(board, legacy=legacy)) for legacy in layouts]

    @property
    def board(self) -> Board:
        """The board in the layout that the pictures show; in the newer one until a picture decides."""
        return self._candidates[0].board

    def find(self, picture: NDArray[np.uint8]) -> Detection:
        """Search `picture` as `BoardFinder.find` does, in each layout that the board may still have."""
        sights = [finder.find(picture) for finder in self._candidates]
        fitting = [index for index, sight in enumerate(sights) if sight.view is not None]
        if len(fitting) == 1:
            self._candidates = [self._candidates[fitting[0]]]
        mirrored = [index for index, sight in enumerate(sights) if sight.reason == MIRRORED]
        return sights[(fitting or mirrored or [0])[0]]


def views_of_one_size(named: Sequence[tuple[str, tuple[int, int], Detection]], board: Board) -> list[tuple[str, View]]:
    """Return the views among the pictures `named`, each given by name, size and result.

    Raises `CalibrationError` when the pictures have several sizes, when most show another board, or when none shows the
    board.
    """
    sizes: dict[tuple[int, int], str] = {}
    for name, size, _ in named:
        sizes.setdefault(size, name)
    if len(sizes) > 1:
        different = ", ".join(f"{name} is {size[0]}x{size[1]}" for size, name in list(sizes.items())[:3])
        raise CalibrationError(
            f"the pictures differ in size: {different}; take all with one camera at the size that you will use"
        )
    views = [(name, sight.view) for name, _, sight in named if sight.view is not None]
    reasons = [sight.reason for _, _, sight in named if sight.view is None]
    if (mirrored := reasons.count(MIRRORED)) > len(views):
        raise CalibrationError(
            f"{mirrored} of {len(named)} pictures are mirrored: switch mirroring off in the camera or in the program "
            "that took them, since left and right are exchanged in everything computed from such a picture"
        )
    strange = reasons.count("another board")
    if strange > len(views):
        raise CalibrationError(
            f"{strange} of {len(named)} pictures show another board than {board}; give the board in use "
            "(--columns, --rows, --dictionary), as printed below it"
        )
    if not views:
        parts = reasons.count("too little of the board")
        what = f"{parts} show too small a part of one" if parts else "none shows anything like it"
        raise CalibrationError(
            f"none of {len(named)} pictures shows the board ({board}): {what}; `worldarm calibrate board` "
            "writes one to print"
        )
    return views


def _spans_area(view: View) -> bool:
    """Return whether the visible corners span an area and not a line."""
    low, high = view.points.min(axis=0), view.points.max(axis=0)
    hull = cv2.contourArea(cv2.convexHull(view.pixels))
    return bool((high - low)[:2].min() > 0.0) and hull > _LEAST_AREA
