"""Cameras that OpenCV can open: V4L2 devices, streams on the network, and pipes.

A picture of a V4L2 device carries the time at which the kernel's driver began or finished receiving it
(`v4l2_buffer.timestamp`, CLOCK_MONOTONIC, which OpenCV gives as CAP_PROP_POS_MSEC), as long as that is in the last
second; every other picture carries the time of its arrival, before decoding. None of these cameras reports the delay
from exposure to that time.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import cv2
import numpy as np

from perception.camera.feed import RawPicture
from robot.errors import CameraError
from robot.system.text import printable

OPEN_TIMEOUT_MS = 8000
READ_TIMEOUT_MS = 4000
_SANE_AGE_NS = 1_000_000_000
_DEVICES = "/dev"
_MOST_NAMED = 3

# This module reports a failure to open in one line; OpenCV and FFmpeg would report it too, in several.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class OpenCvFeed:
    """The device, pipe or URL `source`. A device is requested to give pictures of `size` (width, height) at `rate_hz`,
    where these are given, and gives the nearest that it supports."""

    def __init__(self, source: str, size: tuple[int, int] | None = None, rate_hz: float | None = None) -> None:
        self._source = source
        self._size = size
        self._rate_hz = rate_hz
        self._is_url = "://" in source
        self._is_device = False
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Open the source. Raises `CameraError` when it is missing, forbidden, in use, or gives no pictures."""
        if not self._is_url:
            self._is_device = _require(Path(self._source))
        if self._is_device:
            capture = cv2.VideoCapture(self._source, cv2.CAP_V4L2)
        else:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
            capture = cv2.VideoCapture(self._source, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise CameraError(self._refusal())
        if self._is_device:
            self._ask(capture)
        self._capture = capture

    def next(self) -> RawPicture:
        """Wait for the next picture, at most 10 s for a device's and 4 s for a stream's. Raises `CameraError`."""
        if self._capture is None:
            raise CameraError(f"{self._source} is not open")
        try:
            there = self._capture.grab()
            time_ns = self._captured_ns(time.monotonic_ns())
            decoded, image = self._capture.retrieve() if there else (False, None)
        except cv2.error as error:
            raise CameraError(f"{self._source} sends data that is not a picture: {error.err}") from error
        if not decoded or image is None:
            raise CameraError(self._loss())
        return RawPicture(time_ns, np.asarray(image, np.uint8))

    def close(self) -> None:
        """Close the source; harmless when it is not open."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _ask(self, capture: cv2.VideoCapture) -> None:
        if self._size is not None:
            # USB carries only a few large pictures per second uncompressed.
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        if self._rate_hz is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate_hz)

    def _captured_ns(self, now_ns: int) -> int:
        """Return the driver's time of the picture just grabbed when it is plausible, else `now_ns`."""
        if not self._is_device or self._capture is None:
            return now_ns
        return driver_time_ns(self._capture.get(cv2.CAP_PROP_POS_MSEC), now_ns)

    def _refusal(self) -> str:
        if not self._is_device:
            return f"{self._source} cannot be opened, or sends no video; is it reachable and sending?"
        users = holders(Path(self._source))
        if users:
            return f"{self._source} is in use by {' and '.join(users[:_MOST_NAMED])}; end that first"
        return f"{self._source} is busy, or gives no pictures itself: many cameras have a second device that does"

    def _loss(self) -> str:
        if self._is_url or Path(self._source).exists():
            return f"{self._source} stopped sending"
        return f"{self._source} is gone: unplugged?"


def driver_time_ns(milliseconds: float, now_ns: int) -> int:
    """Return a V4L2 buffer's time in ns when it is on the monotonic clock and at most a second before `now_ns`; else
    `now_ns`: drivers may use another clock, or give no time."""
    if not np.isfinite(milliseconds):
        return now_ns
    stamp_ns = round(milliseconds * 1e6)
    return stamp_ns if 0 <= now_ns - stamp_ns <= _SANE_AGE_NS else now_ns


def holders(path: Path, processes: Path = Path("/proc")) -> list[str]:
    """Return the processes that have `path` open, as "process 123 (name)", among those that this user may inspect."""
    own, found = os.getpid(), []
    for process in sorted((entry for entry in processes.iterdir() if entry.name.isdigit()), key=lambda e: int(e.name)):
        if int(process.name) == own:
            continue
        try:
            opened = [link.readlink() for link in (process / "fd").iterdir()]
            name = printable((process / "comm").read_text(errors="replace").strip())
        except OSError:
            continue  # another user's process, or it has just ended
        if path.resolve() in opened:
            found.append(f"process {process.name} ({name})")
    return found


def _require(path: Path) -> bool:
    """Return whether `path` is a device. Raises `CameraError` when it is missing, or this user may not read it."""
    try:
        mode = path.stat().st_mode
    except OSError:
        others = sorted(str(device) for device in Path(_DEVICES).glob("video*"))
        there = f"there are {', '.join(others)}" if others else "no camera is connected"
        raise CameraError(f"there is no {path}; {there}") from None
    if not os.access(path, os.R_OK):
        raise CameraError(f"this user may not read {path}; add the user to the group {path.group()}, and log in again")
    return stat.S_ISCHR(mode)
