"""Computes a camera's lens from views of the board: Zhang's method (2000) as in OpenCV's `calibrateCamera`, with
Brown-Conrady distortion of three radial and two tangential terms, or for wide lenses Kannala-Brandt's model (2006) as
in OpenCV's `fisheye.calibrate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.calibration.board_finder import View
from perception.calibration.coverage import LEAST_VIEWS, Coverage
from perception.camera.calibration_file import Lens, LensModel
from robot.errors import CalibrationError

GOOD_ERROR_PX = 0.5
"""Reprojection error, for pictures 640 pixels wide, above which directions near the edge may be wrong by degrees."""
WORST_ERROR_PX = 1.5
"""Reprojection error, for pictures 640 pixels wide, above which the cause must be more than noise."""
_FAR_BETTER = 0.75
# Below this error the standard model fits as well as corners can be located.
_EXACT_PX = 0.12
_TERMINATION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
_OUTLIER = 3.0
_LEAST_OUTLIER_PX = 0.5


@dataclass(frozen=True)
class Intrinsics:
    """A lens, its reprojection error (px, root mean square) over a number of `views`, the standard deviation of its
    focal lengths (px; None for a fisheye lens, where it is not computed), the indices of the views `left_out` because
    they fit far worse than the rest, and the error (px) of the fisheye model where that fits far better."""

    lens: Lens
    error_px: float
    views: int
    focal_deviation: tuple[float, float] | None
    left_out: tuple[int, ...]
    fisheye_error_px: float | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the error is larger than that of a good calibration."""
        return self.error_px > _scaled(GOOD_ERROR_PX, self.lens.width)


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


def calibrate(views: Sequence[View], model: LensModel = "standard") -> Intrinsics:
    """Return the lens of the given `model` that fits `views` best. Raises `CalibrationError` when none fits them well,
    and when the lens is too wide for the standard model."""
    width = views[0].size[0]
    problem, found = _attempt(views, model)
    if model == "standard" and (found is None or found.error_px > _scaled(_EXACT_PX, width)):
        _, wide = _attempt(views, "fisheye")
        if wide is not None and not wide.doubtful and (found is None or wide.error_px < _FAR_BETTER * found.error_px):
            if found is None or found.doubtful:
                raise CalibrationError(
                    f"this lens is too wide for the standard model, which leaves the corners {_off(found)}; the "
                    f"fisheye model leaves them {_off(wide)}: give --model fisheye"
                )
            found = replace(found, fisheye_error_px=wide.error_px)
    if found is None:
        raise problem or CalibrationError("no lens can be computed from these views")
    if found.error_px > _scaled(WORST_ERROR_PX, width):
        raise CalibrationError(
            f"no lens fits these views: their corners are {found.error_px:.1f} pixels off on average; is the board "
            "flat, printed without distortion, and the one given by the options?"
        )
    return found


def _attempt(views: Sequence[View], model: LensModel) -> tuple[CalibrationError | None, Intrinsics | None]:
    """Return the lens that fits `views`, or the reason why there is none."""
    try:
        return None, _robust(views, model)
    except CalibrationError as error:
        return error, None


def _robust(views: Sequence[View], model: LensModel) -> Intrinsics:
    """Return the lens that fits `views`, without those that fit far worse than the rest."""
    fit = _FITS[model]
    kept = list(range(len(views)))
    found = fit(views)
    bad = found.errors > max(_LEAST_OUTLIER_PX, _OUTLIER * float(np.median(found.errors)))
    left_out = tuple(np.flatnonzero(bad).tolist())
    if left_out:
        kept = [index for index in kept if index not in left_out]
        if len(kept) < LEAST_VIEWS:
            raise CalibrationError(f"only {len(kept)} views of the board are consistent; keep the board flat and still")
        found = fit([views[index] for index in kept])
    width, height = views[0].size
    (fx, _, cx), (_, fy, cy), _ = found.matrix.tolist()
    matrix = ((fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0))
    lens = Lens(width, height, matrix, tuple(found.distortion.tolist()), model)
    return Intrinsics(lens, found.error, len(kept), found.deviation, left_out)


@dataclass(frozen=True)
class _Fit:
    error: float
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    deviation: tuple[float, float] | None
    errors: NDArray[np.float64]


def _fit_standard(views: Sequence[View]) -> _Fit:
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


def _fit_fisheye(views: Sequence[View]) -> _Fit:
    points = [view.points.reshape(1, -1, 3).astype(np.float64) for view in views]
    pixels = [view.pixels.reshape(1, -1, 2).astype(np.float64) for view in views]
    size = views[0].size
    # OpenCV's own first guess fails for some lenses. The standard model is wrong about the edge, not about the middle.
    focal = float(_fit_standard(views).matrix[0, 0])
    start = np.array([[focal, 0.0, (size[0] - 1) / 2], [0.0, focal, (size[1] - 1) / 2], [0.0, 0.0, 1.0]])
    flags = cv2.fisheye.CALIB_USE_INTRINSIC_GUESS | cv2.fisheye.CALIB_RECOMPUTE_EXTRINSIC | cv2.fisheye.CALIB_FIX_SKEW
    try:
        error, matrix, distortion, turns, shifts = cv2.fisheye.calibrate(
            points, pixels, size, start, np.zeros(4), flags=flags, criteria=_TERMINATION
        )
        errors = [
            _error(cv2.fisheye.projectPoints(each, turn, shift, matrix, distortion)[0], seen)
            for each, seen, turn, shift in zip(points, pixels, turns, shifts, strict=True)
        ]
    except cv2.error as problem:
        raise CalibrationError(f"no fisheye lens can be computed from these views: {problem.err}") from problem
    if not np.isfinite(error) or not np.isfinite(matrix).all() or not np.isfinite(distortion).all():
        raise CalibrationError(
            "no fisheye lens can be computed from these views: give more views, all over the picture"
        )
    flat = np.asarray(distortion, np.float64).ravel()
    return _Fit(float(error), np.asarray(matrix, np.float64), flat, None, np.array(errors))


_FITS: dict[LensModel, Callable[[Sequence[View]], _Fit]] = {"standard": _fit_standard, "fisheye": _fit_fisheye}


def _error(there: NDArray[Any], seen: NDArray[Any]) -> float:
    """Return the root mean square distance (px) between points."""
    return float(np.sqrt(((there.reshape(-1, 2) - seen.reshape(-1, 2)) ** 2).sum(axis=1).mean()))


def _off(found: Intrinsics | None) -> str:
    return "inconsistent" if found is None else f"{found.error_px:.2f} pixels off on average"


def _scaled(error_px: float, width: int) -> float:
    """Return an error given for pictures 640 pixels wide as one for pictures of `width` pixels."""
    return error_px * max(1.0, width / 640)
