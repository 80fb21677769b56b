"""Goal pictures on disk: read with a plain error for every fault, and written completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from perception.camera.framing import reframe
from perception.camera.interface import Image
from robot.errors import CameraError, ConfigurationError, GoalError, RecordingError
from robot.system.bounds import MAX_PICTURE_FILE_BYTES
from robot.system.files import atomic_write, read_bounded
from robot.system.picture_header import decode_within
from robot.wire.camera_spec import CameraSpec

SUFFIXES = (".png", ".jpg", ".jpeg")


def load_goal(path: Path, camera: CameraSpec, sent: Callable[[], CameraSpec] | None = None) -> Image:
    """Return the goal picture in `path`, (H, W, 3) uint8 RGB, in the size of the model's `camera`.

    It is cropped and resized as in training. Its aspect ratio must be that of the model's pictures, or of those that
    the camera sends now, whose specification `sent` returns: a goal that was cropped differently would show a state
    that the arm can never reach. Raises `GoalError` when the picture is missing, incomplete, or of another aspect
    ratio.
    """
    image = _read(path)
    height, width = image.shape[:2]
    if not _shaped(image, camera):
        said = (
            f"{path} is {width}x{height} pixels; the model sees camera {camera.name} at {camera.width}x{camera.height}"
        )
        if sent is None:
            raise GoalError(f"{said}: take the goal picture with that camera")
        try:
            live = sent()
        except CameraError as error:
            raise GoalError(
                f"{said}: take the goal picture with that camera; whether it now sends pictures of this shape "
                f"is unknown: {error}"
            ) from error
        if not _shaped(image, live):
            raise GoalError(
                f"{said}, and gets {live.width}x{live.height} from camera {live.name}: take the goal picture with that "
                "camera, for instance with `worldarm snap`"
            )
    return reframe(image, camera, camera.view_size)


def _shaped(image: Image, camera: CameraSpec) -> bool:
    """Return whether `image`, in any size, has the aspect ratio of the pictures of `camera`, to within a pixel."""
    height, width = image.shape[:2]
    return height % len(camera.views) == 0 and abs(width - height * camera.width / camera.height) < 1.0


def save_picture(path: Path, image: Image) -> None:
    """Write `image` (H, W, 3) uint8 RGB to `path`, a PNG (exact) or JPEG by its suffix.

    The file is written completely or not at all. Its folder is created when absent. Raises `GoalError` when it
    cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise GoalError(f"{path} is not the name of a picture; end it in {', '.join(SUFFIXES)} (only .png is exact)")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise GoalError(f"a picture is (H, W, 3) uint8, not {image.shape} {image.dtype}")
    written, data = cv2.imencode(path.suffix.lower(), cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR))
    if not written:
        raise GoalError(f"{path} could not be encoded: {image.shape[1]}x{image.shape[0]} is too large for its format")
    try:
        with atomic_write(path) as beside:
            beside.write_bytes(data.tobytes())
    except RecordingError as error:
        raise GoalError(str(error)) from error


def _read(path: Path) -> Image:
    """Return the picture in `path`, of any size."""
    try:
        data = read_bounded(path, MAX_PICTURE_FILE_BYTES)
    except FileNotFoundError as error:
        raise GoalError(f"there is no goal picture {path}") from error
    except OSError as error:
        raise GoalError(f"the goal picture {path} cannot be read: {error.strerror}") from error
    except ConfigurationError as error:
        raise GoalError(f"this is not a goal picture: {error}") from error
    try:
        decoded = decode_within(data)
    except ValueError as error:
        raise GoalError(f"{path} {error}") from error
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
