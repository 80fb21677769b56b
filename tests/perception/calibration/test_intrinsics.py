from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception.calibration.board_finder import BoardFinder, View
from perception.calibration.coverage import Coverage
from perception.calibration.intrinsics import calibrate, require_enough
from robot.errors import CalibrationError
from tests.perception.calibration.views import BOARD, LENS, enough_pictures


@pytest.fixture(scope="module")
def views() -> list[View]:
    finder = BoardFinder(BOARD)
    found = [finder.find(picture).view for picture in enough_pictures()]
    return [view for view in found if view is not None]


def test_the_lens_is_found(views: list[View]) -> None:
    found = calibrate(views)
    off = np.abs(found.lens.camera_matrix - LENS.camera_matrix)
    focal = np.diag(off)[:2] / np.diag(LENS.camera_matrix)[:2]
    print(f"focal off by {100 * focal.max():.3f} %, centre by {off[:2, 2].max():.2f} px, error {found.error_px:.3f} px")
    assert focal.max() < 0.005
    assert off[:2, 2].max() < 2.0
    assert found.error_px < 0.15 and found.left_out == () and found.views == len(views)
    assert max(found.focal_deviation) < 2.0
    # What counts of the distortion is where it puts things: in the picture's corners, within half a pixel.
    rays = np.array([[x, y, 1.0] for x in (-0.5, 0.0, 0.5) for y in (-0.37, 0.0, 0.37)])
    here, there = (
        cv2.projectPoints(rays, np.zeros(3), np.zeros(3), lens.camera_matrix, lens.coefficients)[0]
        for lens in (found.lens, LENS)
    )
    assert np.abs(here - there).max() < 1.0


def test_a_view_that_fits_far_worse_is_left_out(views: list[View]) -> None:
    rng = np.random.default_rng(0)
    shaken = View(
        views[0].ids, views[0].pixels + rng.normal(0, 6, views[0].pixels.shape).astype(np.float32), *_rest(views[0])
    )
    again = views[1]
    found = calibrate([*views, shaken, again])
    assert found.left_out == (len(views),)
    assert abs(found.lens.matrix[0][0] / LENS.matrix[0][0] - 1) < 0.005


def test_views_that_no_lens_explains_are_refused(views: list[View]) -> None:
    rng = np.random.default_rng(0)
    shaken = [
        View(view.ids, view.pixels + rng.normal(0, 6, view.pixels.shape).astype(np.float32), *_rest(view))
        for view in views
    ]
    with pytest.raises(CalibrationError, match=r"no lens fits these views|only . views"):
        calibrate(shaken)


def test_too_few_views_and_none_from_aside_are_refused(views: list[View]) -> None:
    few = Coverage()
    for view in views[:5]:
        few.add(view)
    with pytest.raises(CalibrationError, match="5 different views of the board are too few: 10 are needed"):
        require_enough(few)
    frontal = Coverage()
    points = BOARD.corners
    for index in range(12):
        shift = np.array([-0.25 + 0.03 * index, -0.15 + 0.01 * index, 0.4 + 0.03 * index])
        pixels = cv2.projectPoints(points, np.zeros(3), shift, LENS.camera_matrix, LENS.coefficients)[0].reshape(-1, 2)
        frontal.add(View(np.arange(40, dtype=np.int32), pixels.astype(np.float32), points, (640, 480)))
    with pytest.raises(CalibrationError, match=r"focal length and distance cannot be separated.*facing left"):
        require_enough(frontal)


def _rest(view: View) -> tuple[np.ndarray, tuple[int, int]]:
    return view.points, view.size
