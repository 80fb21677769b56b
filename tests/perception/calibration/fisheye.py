"""A fisheye lens 150 degrees wide, and views of the board through it, for the tests of wide lenses."""

from __future__ import annotations

import math

import cv2
import numpy as np

from perception.calibration.board_finder import View
from perception.calibration.board_renderer import look_at
from perception.calibration.hand_eye import inverse
from perception.camera.calibration_file import Lens
from robot.arm.kinematics import Pose
from tests.perception.calibration.views import BOARD

MIDDLE = np.array([*BOARD.size_m, 0.0]) / 2


def fisheye_lens(half_degrees: float = 75.0, bent: tuple[float, ...] = (-0.03, 0.004, 0.0, 0.0)) -> Lens:
    """A lens that sees `half_degrees` to either side, with the coefficients `bent`."""
    angle = math.radians(half_degrees)
    focal = 320 / (angle * (1 + sum(k * angle ** (2 * n) for n, k in enumerate(bent, 1))))
    return Lens(640, 480, ((focal, 0.0, 316.0), (0.0, focal, 243.0), (0.0, 0.0, 1.0)), bent, "fisheye")


def view_through(lens: Lens, pose: Pose, rng: np.random.Generator, noise_px: float = 0.1) -> View:
    """The corners of the board at `pose` in the optical frame that are in the picture, with noise."""
    turn = cv2.Rodrigues(pose.rotation)[0]
    points = BOARD.corners.astype(np.float64).reshape(-1, 1, 3)
    pixels = cv2.fisheye.projectPoints(points, turn, pose.position, lens.camera_matrix, lens.coefficients)[0]
    pixels = pixels.reshape(-1, 2) + rng.normal(0.0, noise_px, (len(points), 2))
    ahead = (BOARD.corners @ pose.rotation.T + pose.position)[:, 2] > 0.01
    seen = ahead & (pixels >= 0).all(axis=1) & (pixels < (lens.width, lens.height)).all(axis=1)
    ids = np.flatnonzero(seen).astype(np.int32)
    return View(ids, pixels[seen].astype(np.float32), BOARD.corners[seen], (lens.width, lens.height))


def near_pose(rng: np.random.Generator) -> Pose:
    """A pose of the board, near enough to reach the edges of a wide picture."""
    lean = rng.uniform(-0.7, 0.7, 2)
    away = np.array([np.sin(lean[0]), np.sin(lean[1]), -np.cos(np.hypot(*lean))])
    target = MIDDLE + rng.uniform(-0.1, 0.1, 3) * (1, 1, 0)
    return inverse(look_at(MIDDLE + rng.uniform(0.12, 0.28) * away, target, rng.uniform(-0.3, 0.3)))


def wide_views(lens: Lens, count: int = 25, noise_px: float = 0.1) -> list[View]:
    """Views of the board through `lens`, with noise on the corners."""
    rng = np.random.default_rng(0)
    views = [view_through(lens, near_pose(rng), rng, noise_px) for _ in range(2 * count)]
    return [view for view in views if len(view.ids) >= 12][:count]
