"""What a lens does to directions, for each model of a lens: straightens points and pictures."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.camera.calibration_file import Lens

_TERMINATION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)

_ANGLES = np.linspace(0.0, math.radians(89.9), 8192)
_BEYOND = 1e6


def distorts(lens: Lens) -> bool:
    """Return whether pictures through `lens` differ from those of a pinhole camera."""
    return lens.model == "fisheye" or any(lens.distortion)


def directions(lens: Lens, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the directions (k, 2), as x / z and y / z, from which light falls on `pixels` (k, 2).

    Beyond 90 degrees from the axis, which only a fisheye lens sees, there is no such number: it is then very large.
    """
    points = np.asarray(pixels, np.float64).reshape(-1, 2)
    if lens.model == "fisheye":
        return _fisheye_directions(lens, points)
    empty = np.eye(3)
    straight = cv2.undistortPointsIter(
        points.reshape(-1, 1, 2), lens.camera_matrix, lens.coefficients, empty, empty, _TERMINATION
    )
    return np.asarray(straight, np.float64).reshape(-1, 2)


def straightening_maps(
    lens: Lens, ideal: NDArray[np.float64], size: tuple[int, int]
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Return the maps, for `cv2.remap`, from the picture of a pinhole camera with the matrix `ideal` (3, 3) and the
    `size` (width, height) to the picture through `lens`."""
    make = cv2.fisheye.initUndistortRectifyMap if lens.model == "fisheye" else cv2.initUndistortRectifyMap
    first, second = make(lens.camera_matrix, lens.coefficients, np.eye(3), ideal, size, cv2.CV_16SC2)
    return np.asarray(first, np.int16), np.asarray(second, np.uint16)


def _fisheye_directions(lens: Lens, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    # OpenCV's `fisheye.undistortPoints` cuts off what many lenses still see: radii above a quarter turn.
    (fx, _, cx), (_, fy, cy), _ = lens.matrix
    plane = (pixels - (cx, cy)) / (fx, fy)
    radius = np.linalg.norm(plane, axis=1)
    squares = _ANGLES**2
    radii = _ANGLES * (1.0 + squares * np.polynomial.polynomial.polyval(squares, lens.coefficients))
    falling = np.flatnonzero(np.diff(radii) <= 0)
    count = int(falling[0]) + 1 if len(falling) else len(radii)
    angle = np.interp(radius, radii[:count], _ANGLES[:count])
    length = np.where(radius > radii[count - 1], _BEYOND, np.tan(angle))
    return plane * np.divide(length, radius, out=np.ones_like(radius), where=radius > 0)[:, None]
