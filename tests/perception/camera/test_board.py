from __future__ import annotations

import numpy as np
import pytest

from perception.camera.board import Board, texture
from robot.errors import ConfigurationError


def test_corners_lie_where_the_squares_meet() -> None:
    board = Board(4, 3, 0.05, 0.03)
    assert board.size_m == pytest.approx((0.2, 0.15))
    expected = [(0.05 * column, 0.05 * row, 0.0) for row in (1, 2) for column in (1, 2, 3)]
    np.testing.assert_allclose(board.corners, expected, atol=1e-7)


def test_the_texture_is_a_chessboard_whose_first_square_is_black() -> None:
    picture = texture(Board(4, 3, 0.04, 0.03), 16)
    assert picture.shape == (48, 64)
    assert picture[8, 8] == 0 and picture[1, 17] == 255 and picture[17, 1] == 255 and picture[24, 24] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": 2},
        {"rows": 0},
        {"marker_m": 0.03},
        {"marker_m": 0.0},
        {"square_m": float("nan")},
        {"square_m": float("inf")},
        {"dictionary": "7x7"},
        {"columns": 20, "rows": 20},
    ],
)
def test_boards_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        Board(**wrong)  # type: ignore[arg-type]
