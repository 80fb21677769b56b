from __future__ import annotations

import math

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.benchmark.hand_eye import random_view
from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_renderer import BoardRenderer, SensorQuality
from perception.camera.board import Board
from perception.camera.calibration_file import VERSION, Calibration, HandEye, Lens
from perception.camera.framing import Framing, centre_crop, lens_of, specification
from robot.errors import CalibrationError
from robot.wire.camera_spec import CameraSpec

LENS = Lens(640, 480, ((520.0, 0.0, 331.0), (0.0, 523.0, 228.0), (0.0, 0.0, 1.0)), (-0.31, 0.11, 0.001, -0.0008, 0.0))
CALIBRATION = Calibration(VERSION, "front", LENS, 0.1, 20, Board())
SIDES = st.integers(1, 2000)


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_the_crop_is_the_largest_middle_part_of_that_shape(native: tuple[int, int], wanted: tuple[int, int]) -> None:
    crop = centre_crop(native, wanted)
    assert crop.left >= 0 and crop.top >= 0
    assert crop.left + crop.width <= native[0] and crop.top + crop.height <= native[1]
    assert crop.width == native[0] or crop.height == native[1]
    assert abs(native[0] - crop.width - 2 * crop.left) <= 1 and abs(native[1] - crop.height - 2 * crop.top) <= 1
    assert min(abs(crop.width - crop.height * wanted[0] / wanted[1]), 1e9) <= max(1.0, wanted[0] / wanted[1])


def test_the_middle_is_kept_unsqueezed_and_averaged_by_area() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[:, 80:560] = (10, 20, 30)  # the square middle, BGR
    picture[:, 80:560:2] = (30, 40, 50)
    framing = Framing("front", (640, 480), (64, 64))
    framed = framing(picture)
    assert framed.shape == (64, 64, 3) and framed.dtype == np.uint8
    assert (abs(framed.astype(int) - (40, 30, 20)) <= 2).all()  # RGB: the mean of both stripes, at the edge too


def test_a_picture_of_the_size_asked_for_is_left_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    np.testing.assert_array_equal(Framing("front", (64, 48), (64, 48))(picture), picture[..., ::-1])


def test_an_uncalibrated_camera_is_taken_for_a_usual_webcam() -> None:
    spec = Framing("front", (640, 480), (64, 64)).spec
    assert spec.centre == (32.0, 32.0) and spec.position is None
    assert math.degrees(2 * math.atan(240 / (spec.focal[0] * 480 / 64))) == pytest.approx(46.8, abs=0.1)


@pytest.mark.parametrize("wanted", [(640, 480), (320, 240), (240, 240), (300, 100)])
def test_published_intrinsics_are_those_of_the_published_picture(wanted: tuple[int, int]) -> None:
    """A board drawn through the bent lens is, once published, where a straight lens of the specification sees it."""
    board = Board(7, 5, 0.04, 0.03)
    framing = Framing("front", (640, 480), wanted, CALIBRATION)
    (fx, fy), (cx, cy) = framing.spec.focal, framing.spec.centre
    straight = np.array([[fx, 0.0, cx - 0.5], [0.0, fy, cy - 0.5], [0.0, 0.0, 1.0]])
    pose = random_view(board, np.random.default_rng(3), 25.0)
    published = framing(BoardRenderer(board, LENS).render(pose, quality=SensorQuality(0.5, 0.0)))
    view = BoardFinder(board).find(np.ascontiguousarray(published)).view
    assert view is not None
    turn = cv2.Rodrigues(pose.rotation)[0]
    expected = cv2.projectPoints(view.points.astype(float), turn, pose.position, straight, np.zeros(5))[0]
    off = view.pixels - expected.reshape(-1, 2)
    assert (abs(off.mean(axis=0)) < 0.06).all()  # half a pixel lost on the way would show
    assert np.sqrt((off**2).sum(axis=1).mean()) < 0.3


def test_undistorting_makes_straight_lines_straight() -> None:
    board, rng = Board(9, 6, 0.05, 0.0375), np.random.default_rng(3)  # large: it fills the picture
    framing = Framing("front", (640, 480), (640, 480), CALIBRATION)
    image = BoardRenderer(board, LENS).render(random_view(board, rng, 10.0), rng)
    bent, straight = (BoardFinder(board).find(np.ascontiguousarray(each)).view for each in (image, framing(image)))
    assert bent is not None and straight is not None

    def crookedness(pixels: np.ndarray, points: np.ndarray) -> float:
        plane, _ = cv2.findHomography(points[:, :2], pixels)
        there = cv2.perspectiveTransform(points[:, :2].reshape(-1, 1, 2), plane).reshape(-1, 2)
        return float(np.sqrt(((there - pixels) ** 2).sum(axis=1).mean()))

    assert crookedness(bent.pixels, bent.points) > 0.5
    assert crookedness(straight.pixels, straight.points) < 0.1


def test_it_says_what_is_kept() -> None:
    said = str(Framing("front", (640, 480), (64, 64)))
    assert said.startswith("640x480, of which the middle 480x480 is kept, resized to 64x64; not calibrated")
    assert str(Framing("front", (640, 480), (640, 480), CALIBRATION)) == (
        "640x480, of which all is kept; undistorted by its calibration"
    )


def test_a_calibration_of_another_size_is_refused() -> None:
    with pytest.raises(CalibrationError, match="pictures of 640x480; camera front gives 1280x720"):
        Framing("front", (1280, 720), (64, 64), CALIBRATION)


def test_only_a_camera_beside_the_arm_has_a_pose_in_its_base() -> None:
    place = HandEye("eye-to-hand", "panda", "base", (1.0, 2.0, 3.0), (0.0, 0.0, 0.0, 1.0), "PARK", 0.001, 0.001, 12)
    beside = msgspec.structs.replace(CALIBRATION, hand_eye=place)
    assert specification("front", (64, 64), beside).position == (1.0, 2.0, 3.0)
    carried = msgspec.structs.replace(place, mounting="eye-in-hand", frame="hand")
    on_arm = msgspec.structs.replace(CALIBRATION, hand_eye=carried)
    assert specification("front", (64, 64), on_arm).position is None


def test_the_lens_of_published_pictures_is_told_from_that_of_the_sensors() -> None:
    small = lens_of(specification("front", (64, 64), CALIBRATION), CALIBRATION)
    assert (small.width, small.height, small.distortion) == (64, 64, ())
    published = lens_of(specification("front", (640, 480), CALIBRATION), CALIBRATION)
    assert published.distortion == () and published.camera_matrix == pytest.approx(LENS.camera_matrix)
    raw = Framing("front", (640, 480), (640, 480)).spec
    assert lens_of(raw, CALIBRATION) == LENS
    with pytest.raises(CalibrationError, match="pictures of 64x64, the calibration is for 640x480"):
        lens_of(CameraSpec("front", 64, 64, (60.0, 60.0), (32.0, 32.0)), CALIBRATION)


def test_a_lens_that_does_not_bend_changes_nothing() -> None:
    straight = msgspec.structs.replace(LENS, distortion=(1e-9, 0.0, 0.0, 0.0, 0.0))
    calibration = msgspec.structs.replace(CALIBRATION, lens=straight)
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8), (0, 0), 3.0)
    plain, remapped = (Framing("front", (640, 480), (160, 160), each)(smooth) for each in (None, calibration))
    assert np.abs(plain.astype(int) - remapped).max() <= 2
