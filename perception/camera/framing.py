"""Turns a sensor's picture into the requested one: undistorted where the lens is known, cropped and resized.

The largest centred part of the requested aspect ratio is kept and resized by the mean over the area of each new pixel
(`INTER_AREA`), so that nothing is stretched and nothing aliases. A smaller picture is enlarged by smooth interpolation.
The specification's focal lengths and centre are adapted. Undistorting keeps the camera matrix of the calibration; parts
that the sensor did not see stay black, and of a fisheye lens the outermost part is cut off.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.camera.calibration_file import Calibration, Lens
from perception.camera.interface import Image
from perception.camera.lens_model import distorts, straightening_maps
from robot.errors import CalibrationError
from robot.wire.camera_spec import CameraSpec, Crop, centre_crop

GUESSED_FIELD_OF_VIEW = 60.0
"""The assumed horizontal field of view of an uncalibrated camera, in degrees: that of a typical webcam."""


class Framing:
    """Converts a sensor's pictures of the size `native` (width, height) to those of the camera `name`, of the size
    `wanted` (width, height). `spec` describes the result.

    Raises `CalibrationError` when `calibration` was made for pictures of another size.
    """

    def __init__(
        self, name: str, native: tuple[int, int], wanted: tuple[int, int], calibration: Calibration | None = None
    ) -> None:
        self.native = native
        self._wanted = wanted
        self._calibrated = calibration is not None
        self._crop = centre_crop(native, wanted)
        self._maps: tuple[NDArray[np.int16], NDArray[np.uint16]] | None = None
        if calibration is None:
            self.spec = _guessed(name, native, wanted, self._crop)
            return
        lens = calibration.lens
        if (lens.width, lens.height) != native:
            raise CalibrationError(
                f"the calibration is for pictures of {lens.width}x{lens.height}; camera {name} gives "
                f"{native[0]}x{native[1]}: set its size (--capture), or calibrate it at this size"
            )
        self.spec = specification(name, wanted, calibration)
        if distorts(lens):
            self._maps = _undistortion(lens, self._crop)

    def __str__(self) -> str:
        crop, (width, height) = self._crop, self._wanted
        kept = "all" if (crop.width, crop.height) == self.native else f"the middle {crop.width}x{crop.height}"
        resized = "" if (crop.width, crop.height) == self._wanted else f", resized to {width}x{height}"
        lens = "undistorted by its calibration" if self._calibrated else "not calibrated, its focal lengths are a guess"
        return f"{self.native[0]}x{self.native[1]}, of which {kept} is kept{resized}; {lens}"

    def __call__(self, picture: NDArray[np.uint8]) -> Image:
        """Convert `picture`, (native height, native width, 3) uint8 BGR as in OpenCV, to (H, W, 3) uint8 RGB."""
        crop = self._crop
        if self._maps is not None:
            kept = cv2.remap(picture, *self._maps, cv2.INTER_LINEAR)
        else:
            kept = picture[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
        return np.asarray(cv2.cvtColor(_resized(kept, self._wanted), cv2.COLOR_BGR2RGB), np.uint8)


def reframe(picture: Image, camera: CameraSpec, wanted: tuple[int, int]) -> Image:
    """Convert `picture`, (H, W, 3) uint8 RGB of `camera` in any size, to the size `wanted` (width, height), as the
    camera's process would publish it at that size. For a rig, `wanted` is the size of each view."""
    native = (picture.shape[1], picture.shape[0] // len(camera.views))
    if native == wanted:
        return picture
    crop = centre_crop(native, wanted)
    views = np.split(picture, len(camera.views))
    kept = [view[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width] for view in views]
    return np.concatenate([_resized(view, wanted) for view in kept])


def specification(name: str, wanted: tuple[int, int], calibration: Calibration) -> CameraSpec:
    """Return the specification of the camera `name` after its pictures are undistorted by `calibration`, cropped and
    resized to `wanted` (width, height). It has a pose when the calibration gives one in the arm's base frame."""
    lens = calibration.lens
    crop = centre_crop((lens.width, lens.height), wanted)
    along = (wanted[0] / crop.width, wanted[1] / crop.height)
    (fx, _, cx), (_, fy, cy), _ = lens.matrix
    where = calibration.hand_eye
    fixed = where is not None and where.mounting == "eye-to-hand"
    return CameraSpec(
        name,
        *wanted,
        focal=(fx * along[0], fy * along[1]),
        # A specification's coordinates start at the picture's corner, OpenCV's at the first pixel's centre.
        centre=((cx + 0.5 - crop.left) * along[0], (cy + 0.5 - crop.top) * along[1]),
        position=where.position if where is not None and fixed else None,
        orientation=where.orientation if where is not None and fixed else None,
    )


def lens_of(spec: CameraSpec, calibration: Calibration) -> Lens:
    """Return the lens of the pictures that `spec` describes and that the camera of `calibration` took. They are either
    published with that calibration, and so free of distortion, or unchanged from the sensor.

    Raises `CalibrationError` when they are neither.
    """
    size = (spec.width, spec.height)
    published = specification(spec.name, size, calibration)
    if np.allclose((*spec.focal, *spec.centre), (*published.focal, *published.centre), rtol=1e-9):
        (fx, fy), (cx, cy) = spec.focal, spec.centre
        return Lens(*size, ((fx, 0.0, cx - 0.5), (0.0, fy, cy - 0.5), (0.0, 0.0, 1.0)))
    lens = calibration.lens
    if size == (lens.width, lens.height):
        return lens
    raise CalibrationError(
        f"camera {spec.name} sends pictures of {size[0]}x{size[1]}, the calibration is for {lens.width}x{lens.height}: "
        "start `worldarm camera` with this file as --calibration, or at that size"
    )


def _resized(picture: NDArray[Any], wanted: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize a picture of the aspect ratio of `wanted` (width, height) to that size."""
    native = picture.shape[1::-1]
    if native == wanted:
        return picture
    shrinks = native[0] >= wanted[0]
    resized = cv2.resize(picture, wanted, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _guessed(name: str, native: tuple[int, int], wanted: tuple[int, int], crop: Crop) -> CameraSpec:
    focal = native[0] / 2 / math.tan(math.radians(GUESSED_FIELD_OF_VIEW) / 2)
    along = (wanted[0] / crop.width, wanted[1] / crop.height)
    return CameraSpec(name, *wanted, (focal * along[0], focal * along[1]), (wanted[0] / 2, wanted[1] / 2))


def _undistortion(lens: Lens, crop: Crop) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Return the maps from the kept part of the undistorted picture to the sensor's picture."""
    ideal = lens.camera_matrix
    ideal[:2, 2] -= (crop.left, crop.top)
    return straightening_maps(lens, ideal, (crop.width, crop.height))
