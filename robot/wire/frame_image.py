"""Decodes the picture in a message and checks it against its camera's specification."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from robot.errors import CameraError
from robot.system.picture_header import decode_within
from robot.wire.messages import Frame


def picture_of(frame: Frame) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) uint8 RGB in `frame`. Raises `CameraError` when its bytes are not a picture of the
    camera's size."""
    camera = frame.camera
    shape = (camera.height, camera.width, 3)
    image: NDArray[np.uint8]
    if min(shape) <= 0:
        raise CameraError(f"camera {camera.name} reports an impossible picture size: {camera.width}x{camera.height}")
    if frame.encoding == "rgb8":
        if len(frame.data) != camera.height * camera.width * 3:
            raise CameraError(
                f"camera {camera.name} sent {len(frame.data)} bytes; {camera.width}x{camera.height} in RGB are "
                f"{camera.height * camera.width * 3}"
            )
        image = np.frombuffer(frame.data, np.uint8).reshape(shape)
    elif frame.encoding == "jpeg":
        image = _from_jpeg(frame)
        if image.shape != shape:
            raise CameraError(
                f"camera {camera.name} sent a JPEG of {image.shape[1]}x{image.shape[0]}; it said "
                f"{camera.width}x{camera.height}"
            )
    else:
        raise CameraError(f"camera {camera.name} sends {frame.encoding!r}; known encodings: rgb8, jpeg")
    return image


def _from_jpeg(frame: Frame) -> NDArray[np.uint8]:
    """Decode a JPEG file. Raises `CameraError` when the bytes are not a JPEG file."""
    try:
        decoded = decode_within(frame.data, frame.camera.width * frame.camera.height)
    except ValueError as error:
        raise CameraError(
            f"camera {frame.camera.name} sent {len(frame.data)} bytes that are not a JPEG picture of the size it said: "
            f"it {error}"
        ) from error
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
