from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception.calibration.board_finder import View
from perception.calibration.coverage import LEAST_VIEWS, Coverage, moved
from tests.perception.calibration.views import BOARD, LENS


def view(turn: tuple[float, float, float], at: tuple[float, float, float]) -> View:
    """The board turned by a rotation vector (degrees) about its middle, which is at `at` (m) before the camera."""
    points = BOARD.corners
    middle = points.mean(axis=0)
    turned = (points - middle) @ cv2.Rodrigues(np.radians(turn))[0].T + np.array(at)
    pixels = cv2.projectPoints(turned, np.zeros(3), np.zeros(3), LENS.camera_matrix, LENS.coefficients)[0]
    return View(np.arange(len(points), dtype=np.int32), pixels.reshape(-1, 2).astype(np.float32), points, (640, 480))


@pytest.mark.parametrize(
    ("turn", "way"),
    [((0, 30, 0), "left"), ((0, -30, 0), "right"), ((30, 0, 0), "down"), ((-30, 0, 0), "up")],
)
def test_a_tilt_is_seen_as_the_user_sees_it(turn: tuple[float, float, float], way: str) -> None:
    coverage = Coverage()
    assert len(coverage.missing_tilts) == 4
    assert coverage.add(view(turn, (0.0, 0.0, 0.4)))
    assert {*coverage.missing_tilts} == {f"the board facing {each}" for each in ("left", "right", "up", "down")} - {
        f"the board facing {way}"
    }
    assert coverage.add(view((0, 0, 0), (0.1, 0.0, 0.4)))
    assert len(coverage.missing_tilts) == 3


def test_where_the_board_was_never_seen_is_named() -> None:
    coverage = Coverage()
    coverage.add(view((0, 0, 0), (0.28, 0.2, 0.6)))
    assert "the upper left of the picture" in coverage.missing
    assert "the lower right of the picture" not in coverage.missing
    assert f"{LEAST_VIEWS - 1} more views" in coverage.missing


def test_a_view_like_an_earlier_one_does_not_count() -> None:
    coverage = Coverage()
    first = view((0, 0, 0), (0.0, 0.0, 0.4))
    assert coverage.add(first) and not coverage.add(first)
    assert not coverage.add(view((0, 0, 0), (0.005, 0.0, 0.4)))
    assert coverage.add(view((0, 0, 0), (0.05, 0.0, 0.4)))
    assert len(coverage.views) == 2


def test_how_far_a_view_moved() -> None:
    first, second = view((0, 0, 0), (0.0, 0.0, 0.5)), view((0, 0, 0), (0.01, 0.0, 0.5))
    assert moved(first, second) == pytest.approx(0.01 / 0.5 * 560, rel=0.1)
    part = View(first.ids[:5], first.pixels[:5], first.points[:5], first.size)
    rest = View(first.ids[5:], first.pixels[5:], first.points[5:], first.size)
    assert moved(part, first) == 0.0 and moved(part, rest) == float("inf")
