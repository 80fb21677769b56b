"""Videos and pictures on disk, for the tests of cameras that show them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

PICTURES = 12
STEP = 20


def video(path: Path, rate_hz: float = 20.0, size: tuple[int, int] = (160, 120)) -> Path:
    """A video whose picture k is all of the grey level 20 k."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, size)
    for index in range(PICTURES):
        writer.write(np.full((size[1], size[0], 3), STEP * index, np.uint8))
    writer.release()
    return path


def still(path: Path, level: int, size: tuple[int, int] = (160, 120)) -> Path:
    """A picture, put in place whole."""
    beside = path.with_name(f"new-{path.name}")
    assert cv2.imwrite(str(beside), np.full((size[1], size[0], 3), level, np.uint8))
    beside.replace(path)
    return path
