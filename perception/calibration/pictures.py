"""Reads the pictures in a folder one by one, in the order of their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception.camera.file_camera import decode
from perception.camera.image_file import SUFFIXES
from robot.errors import CalibrationError, ConfigurationError
from robot.system.bounds import MAX_PICTURE_FILE_BYTES
from robot.system.files import read_bounded


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files in `folder`. Raises `CalibrationError` when there is no folder, or none in it."""
    if not folder.is_dir():
        raise CalibrationError(f"there is no folder {folder}")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise CalibrationError(f"there is no picture in {folder}; they end in {', '.join(SUFFIXES)}")
    return found


def read_pictures(paths: list[Path]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and picture, (H, W, 3) uint8 BGR, of each file. Raises `CameraError` for a file that is not a picture
    and `CalibrationError` for one that cannot be read."""
    for path in paths:
        try:
            data = read_bounded(path, MAX_PICTURE_FILE_BYTES)
        except OSError as error:
            raise CalibrationError(f"the picture {path} cannot be read: {error.strerror}") from error
        except ConfigurationError as error:
            raise CalibrationError(f"the picture {path} cannot be read: {error}") from error
        yield path.name, decode(data, path)
