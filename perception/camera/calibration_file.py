"""The calibration of one camera, its lens and its pose, as one JSON file that is validated strictly.

Pixel coordinates are OpenCV's: the centre of the first pixel is (0, 0). Those of a `CameraSpec` start at the picture's
corner, half a pixel up and left of that.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from perception.camera.board import Board
from robot.errors import CalibrationError, ConfigurationError
from robot.system.bounds import MAX_PICTURE_SIDE, MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded, write_json
from robot.system.text import escape_fields

VERSION = 1

Mounting: TypeAlias = Literal["eye-in-hand", "eye-to-hand"]
LensModel: TypeAlias = Literal["standard", "fisheye"]
COEFFICIENTS: dict[LensModel, int] = {"standard": 5, "fisheye": 4}
"""The number of coefficients of each model's distortion."""

Row: TypeAlias = tuple[float, float, float]


class Lens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures of `width` x `height` pixels through a lens with the camera `matrix` (3, 3) in pixels and `distortion`.

    The standard `model` has Brown-Conrady's distortion (k1, k2, p1, p2, k3) in OpenCV's order, none where it is empty.
    The fisheye model, for wide lenses, has Kannala-Brandt's (k1, k2, k3, k4). What uses a lens goes through
    `perception.camera.lens_model`, which knows both.
    """

    width: int
    height: int
    matrix: tuple[Row, Row, Row]
    distortion: tuple[float, ...] = ()
    model: LensModel = "standard"

    @property
    def camera_matrix(self) -> NDArray[np.float64]:
        """The camera matrix, (3, 3)."""
        return np.array(self.matrix)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """The distortion, (5,) or for a fisheye lens (4,), zero where there is none."""
        return np.array(self.distortion or (0.0,) * COEFFICIENTS[self.model])


class HandEye(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The camera's pose: its optical frame (z forward, x right, y down) in `frame`, which moves with the tool of `arm`
    ("eye-in-hand") or is the arm's base ("eye-to-hand").

    `position` m, `orientation` quaternion (x, y, z, w). `residual_m` and `residual_rad` are the apparent motion of the
    board, which was fixed on the table or in the gripper, as root mean squares over `poses`; `method` is OpenCV's name
    of the method.
    """

    mounting: Mounting
    arm: str
    frame: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]
    method: str
    residual_m: float
    residual_rad: float
    poses: int

    def __post_init__(self) -> None:
        escape_fields(self, ("arm", "frame", "method"))


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One camera: its name on the wire, its lens with the reprojection error `error_px` (root mean square, pixels) over
    `views` of the board, and its pose `hand_eye`, if known."""

    version: int
    camera: str
    lens: Lens
    error_px: float
    views: int
    board: Board
    hand_eye: HandEye | None = None

    def __post_init__(self) -> None:
        escape_fields(self, ("camera",))


def load_calibration(path: Path) -> Calibration:
    """Return the calibration in `path`. Raises `CalibrationError` when it is missing or invalid."""
    try:
        data = read_bounded(path, MAX_SMALL_JSON_BYTES)
    except FileNotFoundError:
        raise CalibrationError(f"there is no calibration {path}; `worldarm calibrate camera` makes one") from None
    except OSError as error:
        raise CalibrationError(f"the calibration {path} cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise CalibrationError(f"this is not a calibration: {error}") from error
    try:
        calibration = msgspec.json.decode(data, type=Calibration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigurationError) as error:
        raise CalibrationError(f"{path} is not a calibration: {error}") from error
    wrong = _wrong(calibration)
    if wrong:
        raise CalibrationError(f"{path} is not a calibration: {wrong}; make it again with `worldarm calibrate camera`")
    return calibration


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write `calibration` to `path`, completely or not at all. Raises `RecordingError` when it cannot be written."""
    write_json(path, calibration)


def _wrong(calibration: Calibration) -> str:
    """Return what is wrong with `calibration`; empty when nothing is."""
    lens = calibration.lens
    if calibration.version != VERSION:
        return f"it is of version {calibration.version}, and this is version {VERSION}"
    if not _finite(msgspec.to_builtins(calibration)):
        return "it holds a number that is not finite"
    if not 1 <= lens.width <= MAX_PICTURE_SIDE or not 1 <= lens.height <= MAX_PICTURE_SIDE:
        return f"its picture size is {lens.width}x{lens.height}"
    (fx, skew, _), (zero, fy, _), last = lens.matrix
    if fx <= 0 or fy <= 0 or skew or zero or last != (0.0, 0.0, 1.0):
        return "its camera matrix is invalid"
    if len(lens.distortion) not in (0, COEFFICIENTS[lens.model]):
        return f"its distortion has {len(lens.distortion)} numbers instead of {COEFFICIENTS[lens.model]}"
    if calibration.hand_eye is not None:
        length = math.hypot(*calibration.hand_eye.orientation)
        if abs(length - 1.0) > 1e-6:
            return f"its orientation is a quaternion of length {length:g}"
    return ""


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_finite, value))
    return True
