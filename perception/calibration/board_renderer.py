"""Renders pictures of the board for a known lens and a known pose: the ground truth against which calibrations are
measured. It renders only a sheet of paper before a uniform background, with blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.camera.board import Board, texture
from perception.camera.calibration_file import Lens
from perception.camera.lens_model import directions
from robot.arm.kinematics import Pose

_PIXELS_A_SQUARE = 64
_FINER = 3
_MARGIN_SQUARES = 0.5
_BACKGROUND, _PAPER, _INK = 110.0, 225.0, 25.0


@dataclass(frozen=True)
class SensorQuality:
    """The quality of a sensor: the standard deviations of Gaussian `blur` (pixels) and of `noise` (levels out of
    255)."""

    blur: float = 0.7
    noise: float = 2.5


class BoardRenderer:
    """Renders `board` through `lens`. Every pixel is the mean of 3x3 rays, each distorted by the lens and intersected
    with the board's plane (for a lens without distortion this is a homography of the plane)."""

    def __init__(self, board: Board, lens: Lens) -> None:
        self._board = board
        self._lens = lens
        margin = round(_MARGIN_SQUARES * _PIXELS_A_SQUARE)
        grey = _INK + (_PAPER - _INK) / 255.0 * texture(board, _PIXELS_A_SQUARE).astype(np.float32)
        self._sheet = cv2.copyMakeBorder(grey, *(margin,) * 4, cv2.BORDER_CONSTANT, value=_PAPER)
        self._origin = margin - 0.5  # of the board's frame, in the sheet's pixels
        self._rays = _rays(lens)

    def render(
        self, pose: Pose, rng: np.random.Generator | None = None, quality: SensorQuality = SensorQuality()
    ) -> NDArray[np.uint8]:
        """Return a picture (H, W, 3) uint8 BGR of the board at `pose` in the camera's optical frame; `rng` draws the
        noise."""
        # A ray r intersects the plane through t with the axes a, b where r * depth = t + u a + v b.
        axes = np.column_stack([pose.rotation[:, 0], pose.rotation[:, 1], pose.position])
        plane = self._rays @ np.linalg.inv(axes).T.astype(np.float32)
        before = plane[..., 2] > 0
        scale = _PIXELS_A_SQUARE / self._board.square_m / np.where(before, plane[..., 2], np.float32(1.0))
        across = np.where(before, plane[..., 0] * scale + self._origin, -1e6).astype(np.float32)
        down = np.where(before, plane[..., 1] * scale + self._origin, -1e6).astype(np.float32)
        fine = cv2.remap(
            self._sheet, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_BACKGROUND
        )
        grey = cv2.resize(fine, (self._lens.width, self._lens.height), interpolation=cv2.INTER_AREA)
        if quality.blur > 0:
            grey = cv2.GaussianBlur(grey, (0, 0), quality.blur)
        if rng is not None:
            grey = grey + rng.normal(0.0, quality.noise, grey.shape)
        return cv2.merge([np.clip(np.rint(grey), 0, 255).astype(np.uint8)] * 3)  # type: ignore[return-value]


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64], roll: float) -> Pose:
    """Return the pose of a camera at `eye` (3,) m whose z axis goes through `target` (3,) m, rotated about it by `roll`
    rad. `eye`, `target` and the pose are in the same frame."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    aside = np.array([1.0, 0.0, 0.0]) if abs(forward[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    down = np.cross(forward, aside)
    down /= np.linalg.norm(down)
    right = np.cross(down, forward)
    turned = np.cos(roll) * right + np.sin(roll) * down
    return Pose(eye, np.column_stack([turned, np.cross(forward, turned), forward]))


def _rays(lens: Lens) -> NDArray[np.float32]:
    """Return the directions (3H, 3W, 3), with z = 1, of the rays through each ninth of a pixel."""
    across = (np.arange(lens.width * _FINER) + 0.5) / _FINER - 0.5
    down = (np.arange(lens.height * _FINER) + 0.5) / _FINER - 0.5
    points = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    grid = directions(lens, points).reshape(lens.height * _FINER, lens.width * _FINER, 2)
    return np.concatenate([grid, np.ones((*grid.shape[:2], 1))], axis=-1).astype(np.float32)
