"""Refuses hand-eye results that cannot be right, and says what may be wrong."""

from __future__ import annotations

import math

from perception.calibration.hand_eye import HandEyeResult, Residual
from perception.camera.calibration_file import Mounting
from robot.errors import CalibrationError

WORST_M = 0.02
WORST_RAD = math.radians(2.0)
"""No arm and no lens are so inexact that the board appears to move more than this."""
DOUBTFUL_M = 0.005
DOUBTFUL_RAD = math.radians(0.5)
"""Above this, one of the causes in `CAUSES` is more likely than noise."""
_FAR_BETTER = 0.25

OTHER: dict[Mounting, Mounting] = {"eye-in-hand": "eye-to-hand", "eye-to-hand": "eye-in-hand"}
CAUSES = (
    "the board or the camera moved or is loose, a square has another size than --square-mm said, or pictures and "
    "joints are not of the same moments"
)


def doubtful(residual: Residual) -> bool:
    """Return whether `residual` is larger than that of a good result."""
    return residual.middle > DOUBTFUL_M or residual.rotation > DOUBTFUL_RAD


def require_plausible(result: HandEyeResult, other: HandEyeResult | None, mounting: Mounting) -> None:
    """Raise `CalibrationError` when `result` for `mounting` cannot be right. `other` is the result for the other
    mounting from the same pictures, where there is one."""
    said = f"with the mounting {mounting} the board appears to move by {residual_text(result.residual)}"
    if doubtful(result.residual) and other is not None and _far_better(other.residual, result.residual):
        raise CalibrationError(
            f"{said}, with {OTHER[mounting]} by {residual_text(other.residual)}: give --mounting {OTHER[mounting]}"
        )
    if _impossible(result.residual):
        less = "" if other is None else f" (with {OTHER[mounting]} by {residual_text(other.residual)})"
        raise CalibrationError(f"{said}{less}, so the result cannot be right and is not saved: {CAUSES}")


def residual_text(residual: Residual) -> str:
    """Return the apparent motion of the board, as text."""
    return f"{1e3 * residual.middle:.2f} mm, {math.degrees(residual.rotation):.3f}°"


def _far_better(other: Residual, own: Residual) -> bool:
    return other.corners < _FAR_BETTER * own.corners and not _impossible(other)


def _impossible(residual: Residual) -> bool:
    return residual.middle > WORST_M or residual.rotation > WORST_RAD
