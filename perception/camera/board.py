"""The calibration board: a chessboard whose white squares carry numbered markers (ChArUco), so that each corner is
identified even when only a part of the board is visible."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.errors import ConfigurationError

DICTIONARIES = ("4x4_50", "4x4_100", "4x4_250", "5x5_100", "5x5_250", "6x6_250")
_LEAST_SIDE = 3


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A board of `columns` x `rows` squares, `square_m` wide, with markers `marker_m` wide from `dictionary`.

    Its frame begins at the corner of the printed sheet's upper left square: x to the right, y down, z into the paper.
    Its K inner corners are numbered row by row. `legacy` is the layout of OpenCV before 4.6, in which a board with an
    even number of rows begins with a white square.
    """

    columns: int = 9
    rows: int = 6
    square_m: float = 0.028
    marker_m: float = 0.021
    dictionary: str = "4x4_100"
    legacy: bool = False

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a board that cannot be printed or whose corners cannot be identified."""
        if self.dictionary not in DICTIONARIES:
            raise ConfigurationError(f"unknown markers {self.dictionary!r}; known: {', '.join(DICTIONARIES)}")
        if self.columns < _LEAST_SIDE or self.rows < _LEAST_SIDE:
            raise ConfigurationError(f"a board of {self.columns}x{self.rows} squares is too small: give at least 3x3")
        if not 0 < self.marker_m < self.square_m < float("inf"):
            raise ConfigurationError(
                f"markers of {1e3 * self.marker_m:g} mm in squares of {1e3 * self.square_m:g} mm: the markers must be "
                "the smaller ones"
            )
        markers = self.columns * self.rows // 2
        if markers > (known := int(self.dictionary.partition("_")[2])):
            raise ConfigurationError(
                f"a board of {self.columns}x{self.rows} squares needs {markers} markers; {self.dictionary} has {known}"
            )

    def __str__(self) -> str:
        layout = ", in the layout of OpenCV before 4.6" if self.legacy else ""
        return (
            f"{self.columns}x{self.rows} squares of {1e3 * self.square_m:g} mm with markers of "
            f"{1e3 * self.marker_m:g} mm from {self.dictionary}{layout}"
        )

    @property
    def corners(self) -> NDArray[np.float32]:
        """The board's inner corners, (K, 3) m in its frame."""
        return np.asarray(charuco(self).getChessboardCorners(), np.float32).reshape(-1, 3)

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.columns * self.square_m, self.rows * self.square_m


@cache
def charuco(board: Board) -> Any:
    """Return OpenCV's object for `board`."""
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{board.dictionary.upper()}"))
    made = cv2.aruco.CharucoBoard((board.columns, board.rows), board.square_m, board.marker_m, dictionary)
    made.setLegacyPattern(board.legacy)
    return made


def texture(board: Board, pixels_a_square: int) -> NDArray[np.uint8]:
    """Return the board as printed, (rows * pixels_a_square, columns * pixels_a_square) uint8 grey, without a margin."""
    size = (board.columns * pixels_a_square, board.rows * pixels_a_square)
    return np.asarray(charuco(board).generateImage(size, marginSize=0, borderBits=1), np.uint8)
