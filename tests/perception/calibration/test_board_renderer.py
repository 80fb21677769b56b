from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception.benchmark.hand_eye import random_lens, random_view
from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_renderer import BoardRenderer, SensorQuality, look_at
from perception.camera.calibration_file import Lens
from robot.arm.kinematics import Pose
from tests.perception.calibration.views import BOARD


@pytest.mark.parametrize("seed", range(3))
def test_corners_are_drawn_where_the_lens_puts_them(seed: int) -> None:
    """The truth is OpenCV's forward model, `projectPoints`; the renderer inverts it."""
    rng = np.random.default_rng(seed)
    lens = random_lens(rng)
    pose = random_view(BOARD, rng, 35.0)
    view = BoardFinder(BOARD).find(BoardRenderer(BOARD, lens).render(pose, quality=SensorQuality(0.5, 0.0))).view
    assert view is not None
    turn = cv2.Rodrigues(pose.rotation)[0]
    truth = cv2.projectPoints(view.points.astype(float), turn, pose.position, lens.camera_matrix, lens.coefficients)[0]
    off = view.pixels - truth.reshape(-1, 2)
    assert (abs(off.mean(axis=0)) < 0.03).all()
    assert np.sqrt((off**2).sum(axis=1).mean()) < 0.1


def test_noise_is_as_strong_as_asked_and_the_same_for_the_same_seed() -> None:
    lens = Lens(160, 120, ((150.0, 0.0, 80.0), (0.0, 150.0, 60.0), (0.0, 0.0, 1.0)))
    behind = Pose(np.array([0.0, 0.0, -1.0]), np.eye(3))  # behind the camera: nothing but the background
    renderer = BoardRenderer(BOARD, lens)
    once, again = (renderer.render(behind, np.random.default_rng(1), SensorQuality(0.0, 4.0)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.std() == pytest.approx(4.0, rel=0.05)
    assert renderer.render(behind).std() == 0.0


def test_a_camera_looks_where_it_is_told() -> None:
    pose = look_at(np.array([0.1, -0.2, -0.5]), np.array([0.0, 0.1, 0.0]), 0.4)
    assert np.linalg.det(pose.rotation) == pytest.approx(1.0)
    seen = pose.rotation.T @ (np.array([0.0, 0.1, 0.0]) - pose.position)
    assert seen[:2] == pytest.approx([0.0, 0.0]) and seen[2] > 0
