"""Computes a camera's lens from views of the board: Zhang's method (2000) as in OpenCV's `calibrateCamera`, with
Brown-Conrady distortion of three radial and two tangential terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.calibration.board_finder import View
from perception.calibration.coverage import LEAST_VIEWS, Coverage
from perception.camera.calibration_file import Lens
from robot.errors import CalibrationError

WORST_ERROR_PX = 1.5
"""Reprojection error, for pictures 640 pixels wide, above which the cause must be more than noise."""
_OUTLIER = 3.0
_LEAST_OUTLIER_PX = 0.5


@dataclass(frozen=True)
class Intrinsics:
    """A lens, its reprojection error (px, root mean square) over a number of `views`, the standard deviation of its
    focal lengths (px), and the indices of the views `left_out` because they fit far worse than the rest."""

    lens: Lens
    error_px: float
    views: int
    focal_deviation: tuple[float, float]
    left_out: tuple[int, ...]


def require_enough(coverage: Coverage) -> None:
    """Raise `CalibrationError` when there are too few different views, or none of a tilted board."""
    if len(coverage.views) < LEAST_VIEWS:
        raise CalibrationError(
            f"{len(coverage.views)} different views of the board are too few: {LEAST_VIEWS} are needed, near and far, "
            f"turned each way, all over the picture; still missing: {', '.join(coverage.missing)}"
        )
    if coverage.missing_tilts:
        raise CalibrationError(
            f"the board is never tilted far enough, so focal length and distance cannot be separated; "
            f"still missing: {', '.join(coverage.missing_tilts)}"
        )


def calibrate(views: Sequence[View]) -> Intrinsics:
    """Return the lens that fits `views` best. Raises `CalibrationError` when no lens fits them well."""
    kept = list(range(len(views)))
    found = _fit([views[index] for index in kept])
    bad = found.errors > max(_LEAST_OUTLIER_PX, _OUTLIER * float(np.median(found.errors)))
    left_out = tuple(np.flatnonzero(bad).tolist())
    if left_out:
        kept = [index for index in kept if index not in left_out]
        if len(kept) < LEAST_VIEWS:
            raise CalibrationError(f"only {len(kept)} views of the board are consistent; keep the board flat and still")
        found = _fit([views[index] for index in kept])
    width, height = views[0].size
    if found.error > WORST_ERROR_PX * max(1.0, width / 640):
        raise CalibrationError(
            f"no lens fits these views: their corners are {found.error:.1f} pixels off on average; is the board "
            "flat, printed without distortion, and the one given by the options?"
        )
    (fx, _, cx), (_, fy, cy), _ = found.matrix.tolist()
    lens = Lens(width, height, ((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)), tuple(found.distortion.tolist()))
    return Intrinsics(lens, found.error, len(kept), found.deviation, left_out)


@dataclass(frozen=True)
class _Fit:
    error: float
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    deviation: tuple[float, float]
    errors: NDArray[np.float64]


def _fit(views: Sequence[View]) -> _Fit:
    points = [view.points for view in views]
    pixels = [view.pixels.reshape(-1, 1, 2) for view in views]
    start = np.eye(3)
    try:
        error, matrix, distortion, _, _, deviations, _, errors = cv2.calibrateCameraExtended(
            points, pixels, views[0].size, start, np.zeros(5), flags=0
        )
    except cv2.error as problem:
        raise CalibrationError(f"no lens can be computed from these views: {problem.err}") from problem
    fx, fy = np.asarray(deviations).ravel()[:2].tolist()
    flat = np.asarray(distortion, np.float64).ravel()[:5]
    return _Fit(float(error), np.asarray(matrix, np.float64), flat, (fx, fy), np.asarray(errors, np.float64).ravel())
