"""Cameras that read files: a video that plays, and a still picture that is read repeatedly."""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.camera.calibration_file import Calibration
from perception.camera.feed import EndOfPictures
from perception.camera.framing import Framing
from perception.camera.interface import MAX_RATE_HZ, CameraOptions, Picture
from robot.errors import CameraAway, CameraError, ConfigurationError
from robot.system.bounds import MAX_PICTURE_FILE_BYTES, MAX_PICTURE_PIXELS, MAX_PICTURE_SIDE
from robot.system.files import read_bounded
from robot.system.picture_header import decode_within
from robot.wire.camera_spec import CameraSpec

_LOOK_BYTES = 4096


class FileCamera:
    """The common part of both kinds of file: the framing of the pictures in `path`."""

    def __init__(self, path: Path, options: CameraOptions, calibration: Calibration | None = None) -> None:
        self._path = path
        self._options = options
        self._calibration = calibration
        self._framing: Framing | None = None

    @property
    def spec(self) -> CameraSpec:
        """Size and intrinsics. Raises `CameraError` before `start`."""
        return self._started().spec

    def sensor(self) -> str:
        """Return a description of the file's pictures and of how they are cropped and resized. Raises `CameraError`
        before `start`."""
        return f"{self._path} gives {self._started()}"

    def _frame(self, image: NDArray[np.uint8]) -> None:
        options, (height, width) = self._options, image.shape[:2]
        self._framing = Framing(options.name, (width, height), (options.width, options.height), self._calibration)

    def _started(self) -> Framing:
        if self._framing is None:
            raise CameraError(f"camera {self._options.name} is not started")
        return self._framing


class VideoCamera(FileCamera):
    """A `Camera` that plays the video `path`, one picture per reading, once or repeatedly (`loop`).

    A late reader misses pictures, as with any camera: the video keeps to `options.rate_hz`. A picture's time is the
    time at which it is shown.
    """

    def __init__(
        self, path: Path, options: CameraOptions, calibration: Calibration | None = None, loop: bool = True
    ) -> None:
        super().__init__(path, options, calibration)
        self._loop = loop
        self._capture: cv2.VideoCapture | None = None
        self._waiting: NDArray[np.uint8] | None = None
        self._began_ns = 0
        self._shown = 0

    def start(self) -> None:
        """Open the video. Raises `CameraError` when it is not a video, `CalibrationError` when its size differs from
        the calibration's."""
        self._waiting = self._first()
        self._frame(self._waiting)

    def read(self, timeout_s: float) -> Picture:
        """Return the picture that is due now, or the next one when that was returned before.

        Raises `EndOfPictures` after the last one, `CameraAway` when the file disappeared before it was played again,
        and `CameraError` before `start`. It never waits.
        """
        framing = self._started()
        now_ns = time.monotonic_ns()
        if self._shown == 0:
            self._began_ns = now_ns
        due = int((now_ns - self._began_ns) * 1e-9 * self._options.rate_hz)
        for _ in range(min(due - self._shown, round(self._options.rate_hz))):
            self._next(decode=False)
        image = self._next(decode=True)
        self._shown = max(self._shown, due) + 1
        if image.shape[1::-1] != framing.native:
            raise CameraError(f"{self._path} changes to pictures of {image.shape[1]}x{image.shape[0]} in the middle")
        return Picture(now_ns, framing(image))

    def close(self) -> None:
        """Close the file; harmless when it never started."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _first(self) -> NDArray[np.uint8]:
        """Open or reopen the file, and return its first picture."""
        self.close()
        self._capture = open_video(self._path)
        there, image = self._capture.read()
        if not there:
            raise CameraError(f"{self._path} is a video without a picture that can be decoded")
        return np.asarray(image, np.uint8)

    def _next(self, decode: bool) -> NDArray[np.uint8]:
        """Advance by one picture, from the last to the first, and return it; return an empty one when `decode` is
        False."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            return waiting
        if self._capture is not None and self._capture.grab():
            there, image = self._capture.retrieve() if decode else (True, np.empty(0, np.uint8))
            if there and image is not None:
                return np.asarray(image, np.uint8)
        if not self._loop:
            raise EndOfPictures(f"{self._path} is at its end")
        try:
            return self._first()
        except CameraError as error:
            raise CameraAway(str(error)) from error


@dataclass(frozen=True)
class _State:
    """The properties of a file that change when it is rewritten."""

    inode: int
    size: int
    changed_ns: int


class StillCamera(FileCamera):
    """A `Camera` that shows the picture in `path`. Each reading uses the present file: replacing the file changes the
    picture, and removing it has the effect of an unplugged camera."""

    def __init__(self, path: Path, options: CameraOptions, calibration: Calibration | None = None) -> None:
        super().__init__(path, options, calibration)
        self._state: _State | None = None
        self._image: NDArray[np.uint8] | None = None

    def start(self) -> None:
        """Read the picture. Raises `CameraError` when it is not a picture, `CalibrationError` when its size differs
        from the calibration's."""
        self._frame(self._look())

    def read(self, timeout_s: float) -> Picture:
        """Return the file's present picture; it never waits. Raises `CameraAway` when the file holds no picture at
        present, or one of another size, and `CameraError` before `start`."""
        framing = self._started()
        now_ns = time.monotonic_ns()
        try:
            image = self._look()
        except CameraError as error:
            self._state = None
            raise CameraAway(str(error)) from error
        if image.shape[1::-1] != framing.native:
            raise CameraAway(
                f"{self._path} is now {image.shape[1]}x{image.shape[0]}, before "
                f"{framing.native[0]}x{framing.native[1]}: restart the camera to use the new size"
            )
        return Picture(now_ns, framing(image))

    def close(self) -> None:
        """Does nothing: no resource is held."""

    def _look(self) -> NDArray[np.uint8]:
        """Return the file's picture; decode it again when the file has changed."""
        try:
            found = self._path.stat()
            state = _State(found.st_ino, found.st_size, found.st_mtime_ns)
            if state != self._state or self._image is None:
                self._image = decode(read_bounded(self._path, MAX_PICTURE_FILE_BYTES), self._path)
                self._state = state
        except FileNotFoundError:
            raise CameraError(f"the picture {self._path} is gone") from None
        except OSError as error:
            raise CameraError(f"the picture {self._path} cannot be read: {error.strerror}") from error
        except ConfigurationError as error:
            raise CameraError(f"the picture {self._path} cannot be read: {error}") from error
        return self._image


def open_video(path: Path) -> cv2.VideoCapture:
    """Open the video in `path`. Raises `CameraError` when it is missing or not a video."""
    if not path.is_file():
        raise CameraError(f"there is no video {path}")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened() or _is_text(path):
        capture.release()
        raise CameraError(f"{path} is neither a picture nor a video that can be read")
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not (0 < width <= MAX_PICTURE_SIDE and 0 < height <= MAX_PICTURE_SIDE and width * height <= MAX_PICTURE_PIXELS):
        capture.release()
        raise CameraError(f"{path} says that its pictures have {width:.0f}x{height:.0f} pixels; no camera has as many")
    return capture


def _is_text(path: Path) -> bool:
    """Return whether the file is plain text, which FFmpeg would play as a terminal's screen."""
    with path.open("rb") as file:
        start = file.read(_LOOK_BYTES)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # the last character may be incomplete
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def own_rate_hz(path: Path) -> float:
    """Return the video's own rate of pictures (Hz). Raises `CameraError` when `path` is not a video, or does not state
    its rate."""
    capture = open_video(path)
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise CameraError(f"{path} does not state its rate of pictures; give --rate-hz")
    return float(rate_hz)


def decode(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode a file's bytes to a picture (H, W, 3) uint8 BGR. Raises `CameraError` when they are not a picture."""
    try:
        return decode_within(data)
    except ValueError as error:
        raise CameraError(f"{path} {error}") from error
