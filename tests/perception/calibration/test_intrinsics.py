from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from perception.calibration.board_finder import BoardFinder, View
from perception.calibration.coverage import Coverage
from perception.calibration.intrinsics import calibrate, require_enough
from perception.camera.lens_model import directions
from robot.errors import CalibrationError
from tests.perception.calibration.fisheye import fisheye_lens, wide_views
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


@pytest.mark.parametrize(
    ("half", "bent"), [(75.0, (0.0,) * 4), (70.0, (-0.04, 0.0, 0.0, 0.0)), (65.0, (0.08, 0.01, 0.0, 0.0))]
)
def test_a_wide_lens_is_refused_by_the_standard_model_and_found_by_the_fisheye_model(
    half: float, bent: tuple[float, ...]
) -> None:
    truth = fisheye_lens(half, bent)
    views = wide_views(truth)
    with pytest.raises(CalibrationError, match=r"too wide for the standard model.* give --model fisheye"):
        calibrate(views)
    found = calibrate(views, "fisheye")
    assert found.lens.model == "fisheye" and found.error_px < 0.25 and not found.doubtful
    across, down = np.meshgrid(np.linspace(60, 580, 9), np.linspace(60, 420, 7))
    pixels = np.column_stack([across.ravel(), down.ravel()])
    off = [np.arctan(np.linalg.norm(directions(lens, pixels), axis=1)) for lens in (found.lens, truth)]
    assert math.degrees(np.abs(off[0] - off[1]).max()) < 0.5


def test_a_lens_that_is_a_little_too_wide_is_found_and_said_to_be_wide() -> None:
    found = calibrate(wide_views(fisheye_lens(45.0, (-0.04, 0.0, 0.0, 0.0)), noise_px=0.05))
    assert found.lens.model == "standard" and not found.doubtful
    assert found.fisheye_error_px is not None and found.fisheye_error_px < found.error_px


def test_a_usual_lens_is_not_said_to_be_wide(views: list[View]) -> None:
    rng = np.random.default_rng(0)
    noisy = [
        View(view.ids, (view.pixels + rng.normal(0, 0.25, view.pixels.shape)).astype(np.float32), *_rest(view))
        for view in views
    ]
    found = calibrate(noisy)
    assert found.error_px > 0.2 and found.fisheye_error_px is None and not found.doubtful
    with_more = [
        View(view.ids, (view.pixels + rng.normal(0, 0.6, view.pixels.shape)).astype(np.float32), *_rest(view))
        for view in views
    ]
    assert calibrate(with_more).doubtful


def _rest(view: View) -> tuple[np.ndarray, tuple[int, int]]:
    return view.points, view.size
