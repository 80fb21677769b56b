from __future__ import annotations

import math

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_renderer import BoardRenderer, look_at
from perception.calibration.hand_eye import angle_between, board_pose, inverse
from perception.camera.calibration_file import Calibration, Lens
from perception.camera.framing import Framing, lens_of
from perception.camera.lens_model import directions, distorts
from robot.arm.kinematics import Pose
from tests.perception.calibration.fisheye import MIDDLE, fisheye_lens, view_through
from tests.perception.calibration.views import BOARD, CALIBRATION, LENS

FISHEYE = fisheye_lens()


def seen_at(lens: Lens, rays: np.ndarray) -> np.ndarray:
    """Where OpenCV's forward models put the directions (k, 2)."""
    points = np.column_stack([rays, np.ones(len(rays))]).reshape(-1, 1, 3)
    project = cv2.fisheye.projectPoints if lens.model == "fisheye" else cv2.projectPoints
    return project(points, np.zeros(3), np.zeros(3), lens.camera_matrix, lens.coefficients)[0].reshape(-1, 2)


@settings(max_examples=40, deadline=None)
@given(
    lens=st.sampled_from([LENS, FISHEYE, fisheye_lens(60.0, ()), fisheye_lens(80.0, (0.08, 0.003, 0.0, 0.0))]),
    x=st.floats(20, 620),
    y=st.floats(20, 460),
)
def test_a_pixel_is_seen_in_the_direction_that_its_lens_gives_it(lens: Lens, x: float, y: float) -> None:
    np.testing.assert_allclose(seen_at(lens, directions(lens, np.array([[x, y]])))[0], (x, y), atol=0.05)


def test_a_fisheye_lens_without_coefficients_distorts() -> None:
    assert distorts(msgspec.structs.replace(FISHEYE, distortion=())) and distorts(LENS)
    assert not distorts(msgspec.structs.replace(LENS, distortion=()))


def test_a_fisheye_camera_publishes_pictures_of_a_pinhole_camera() -> None:
    """The board's pose is the same in the sensor's picture and in the published one, each with its own lens."""
    calibration: Calibration = msgspec.structs.replace(CALIBRATION, lens=FISHEYE)
    pose = inverse(look_at(MIDDLE + (0.08, 0.03, -0.25), MIDDLE + (0.05, 0.0, 0.0), 0.3))
    picture = BoardRenderer(BOARD, FISHEYE).render(pose, np.random.default_rng(0))
    framing = Framing("front", (640, 480), (640, 480), calibration)
    published = np.asarray(cv2.cvtColor(framing(picture), cv2.COLOR_RGB2BGR), np.uint8)
    for image, lens in ((picture, FISHEYE), (published, lens_of(framing.spec, calibration))):
        view = BoardFinder(BOARD).find(image).view
        assert view is not None and lens.model == ("fisheye" if image is picture else "standard")
        found = board_pose(view, lens)
        assert np.linalg.norm(found.position - pose.position) < 0.001
        assert math.degrees(angle_between(found.rotation, pose.rotation)) < 0.3


@pytest.mark.parametrize("aside", [0.0, 40.0, 65.0])
def test_the_pose_of_a_board_far_aside_is_found_through_a_fisheye_lens(aside: float) -> None:
    ahead = inverse(look_at(MIDDLE + (0.05, 0.1, -0.4), MIDDLE, 0.2))
    turn = np.asarray(cv2.Rodrigues(np.array([0.0, math.radians(aside), 0.0]))[0])
    pose = Pose(turn @ ahead.position, turn @ ahead.rotation)
    view = view_through(FISHEYE, pose, np.random.default_rng(0), 0.05)
    found = board_pose(view, FISHEYE)
    assert np.linalg.norm(found.position - pose.position) < 0.002
    assert math.degrees(angle_between(found.rotation, pose.rotation)) < 0.5
