"""The meaning of `--source`: a device, a stream, a file, or the name of a registered camera; and how it is opened."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import cv2

from perception.camera.calibration_file import Calibration
from perception.camera.file_camera import StillCamera, VideoCamera, own_rate_hz
from perception.camera.interface import Camera, CameraOptions, MakeCamera
from perception.camera.live_camera import LiveCamera
from perception.camera.opencv_feed import OpenCvFeed
from robot.errors import CameraError, ConfigurationError
from robot.registry import CAMERAS, load, names

USUAL_RATE_HZ = 30.0


@dataclass(frozen=True)
class SourceOptions:
    """Options for devices and files only: a `calibration` for undistorting, the size (width, height) to `capture` in,
    and whether a video repeats (`loop`)."""

    calibration: Calibration | None = None
    capture: tuple[int, int] | None = None
    loop: bool = True


def usual_rate_hz(source: str) -> float:
    """Return the default rate (Hz) of `source`: that of a video is its own, all others have 30. Raises `CameraError`
    for a file that is neither a picture nor a video."""
    path = Path(source)
    return own_rate_hz(path) if _kind(source) == "file" and not _is_still(path) else USUAL_RATE_HZ


def open_camera(source: str, options: CameraOptions, more: SourceOptions = SourceOptions()) -> Camera:
    """Return the camera that `source` names, not started.

    A number N is the device /dev/videoN, a word with "://" a stream on the network, a path a device, a pipe, a video or
    a picture, and any other word a registered camera. Raises `ConfigurationError` for a word that is none of these and
    for options that this camera does not support, and `CameraError` for a file that cannot be shown.
    """
    kind = _kind(source)
    if kind == "registered":
        if more.calibration is not None or more.capture is not None:
            raise ConfigurationError(
                f"--calibration and --capture are for devices, streams and files; the camera '{source}' has its own"
            )
        make_camera: MakeCamera = load(CAMERAS, source)
        return make_camera(options)
    size = more.capture
    if size is None and more.calibration is not None:
        size = (more.calibration.lens.width, more.calibration.lens.height)
    if kind == "live":
        device = f"/dev/video{int(source)}" if source.isdecimal() else source
        return LiveCamera(OpenCvFeed(device, size, options.rate_hz), device, options, more.calibration)
    if more.capture is not None:
        raise ConfigurationError(f"--capture is for devices; the size of {source} is fixed")
    path = Path(source)
    if _is_still(path):
        return StillCamera(path, options, more.calibration)
    return VideoCamera(path, options, more.calibration, more.loop)


def _kind(source: str) -> str:
    """Return "live", "file" or "registered". Raises `CameraError` for a path that does not exist."""
    if source.isdecimal() or "://" in source or source.startswith("/dev/"):
        return "live"
    if source in names(CAMERAS):
        return "registered"
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if "/" in source or path.suffix:
            raise CameraError(f"the camera source {source} cannot be opened: {error.strerror}") from error
        return "registered"  # loading an unknown name lists the known ones
    if stat.S_ISDIR(mode):
        raise CameraError(f"the camera source {source} is a folder; give a picture or a video in it")
    return "file" if stat.S_ISREG(mode) else "live"


def _is_still(path: Path) -> bool:
    return bool(cv2.haveImageReader(str(path)))
