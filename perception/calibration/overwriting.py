"""A calibration in use is not overwritten by a worse one, nor by one that lacks something, without being asked."""

from __future__ import annotations

import math
from pathlib import Path

from perception.camera.calibration_file import Calibration, HandEye, load_calibration
from robot.errors import CalibrationError

# Two good calibrations of one camera differ by about this much: by a share, and at least by an amount.
_SHARE = 1.25
_LEAST_PX, _LEAST_M, _LEAST_RAD = 0.05, 5e-4, math.radians(0.05)


def calibration_at(path: Path) -> Calibration | None:
    """Return the calibration that `path` holds; None when there is no such file. Raises `CalibrationError` when the
    file holds something else."""
    if not path.exists():
        return None
    try:
        return load_calibration(path)
    except CalibrationError as error:
        raise CalibrationError(f"{error}; give another --output, or --replace to overwrite it") from error


def require_no_loss(before: Calibration | None, after: Calibration, path: Path) -> None:
    """Raise `CalibrationError` when `after` is worse than the calibration `before` that `path` holds, if any."""
    loss = "" if before is None else _loss(before, after)
    if loss:
        raise CalibrationError(f"{path} {loss}; it stays as it is: give another --output, or --replace to overwrite it")


def _loss(before: Calibration, after: Calibration) -> str:
    """Return what is lost when `after` replaces `before`; empty when nothing is."""
    old, new = before.lens, after.lens
    if before.camera != after.camera:
        return f"is the calibration of the camera {before.camera!r}, and this is for {after.camera!r}"
    if (old.width, old.height) != (new.width, new.height):
        return f"is for pictures of {old.width}x{old.height}, and this is for {new.width}x{new.height}"
    if _worse(before.error_px, after.error_px, _LEAST_PX):
        return f"has a reprojection error of {before.error_px:.3f} px, and this has {after.error_px:.3f} px"
    if before.hand_eye is None:
        return ""
    if after.hand_eye is None:
        return "also holds the camera's pose, which must be computed again for a new lens"
    return _lost_pose(before.hand_eye, after.hand_eye)


def _lost_pose(before: HandEye, after: HandEye) -> str:
    if (before.arm, before.mounting) != (after.arm, after.mounting):
        return (
            f"holds the camera's pose for the arm {before.arm} ({before.mounting}), and this is for {after.arm} "
            f"({after.mounting})"
        )
    if _worse(before.residual_m, after.residual_m, _LEAST_M) or _worse(
        before.residual_rad, after.residual_rad, _LEAST_RAD
    ):
        return (
            f"holds a pose with a residual of {1e3 * before.residual_m:.2f} mm and "
            f"{math.degrees(before.residual_rad):.3f}°, and this has {1e3 * after.residual_m:.2f} mm and "
            f"{math.degrees(after.residual_rad):.3f}°"
        )
    return ""


def _worse(before: float, after: float, least: float) -> bool:
    return after > _SHARE * before and after > before + least
