"""A camera that delivers pictures continuously: a thread receives every picture and keeps the newest one.

Pictures therefore do not queue and age behind a slow reader. A source that is gone is reopened repeatedly, after pauses
that grow to a bound, until it is back. Meanwhile `read` raises `CameraAway` and never returns an old picture as a new
one.
"""

from __future__ import annotations

import threading

from perception.camera.calibration_file import Calibration
from perception.camera.feed import Feed, RawPicture
from perception.camera.framing import Framing
from perception.camera.interface import CameraOptions, Picture
from robot.errors import CameraAway, CameraError
from robot.wire.camera_spec import CameraSpec

START_PATIENCE_S = 15.0
"""The time limit from opening a device to its first picture."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
_CLOSING_S = 3.0


class LiveCamera:
    """A `Camera` that reads `feed`, called `source` in messages; `calibration` undistorts its pictures."""

    def __init__(self, feed: Feed, source: str, options: CameraOptions, calibration: Calibration | None = None) -> None:
        self._feed = feed
        self._source = source
        self._options = options
        self._calibration = calibration
        self._framing: Framing | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        # What the thread and the reader share, under this condition's lock.
        self._changed = threading.Condition()
        self._newest: RawPicture | None = None
        self._trouble: CameraError | None = None
        self._running = False
        self._read_ns = -1

    @property
    def spec(self) -> CameraSpec:
        """Size and intrinsics. Raises `CameraError` before `start`: the sensor's size is not known earlier."""
        if self._framing is None:
            raise CameraError(f"camera {self._options.name} is not started")
        return self._framing.spec

    def sensor(self) -> str:
        """Return a description of the source's pictures and of how they are cropped and resized. Raises `CameraError`
        before `start`."""
        if self._framing is None:
            raise CameraError(f"camera {self._options.name} is not started")
        return f"{self._source} gives {self._framing}"

    def start(self) -> None:
        """Open the source and wait for its first picture.

        Raises `CameraError` when there is none, and `CalibrationError` when its size differs from the calibration's.
        """
        self._running = True
        self._thread = threading.Thread(target=self._run, name=f"camera {self._options.name}", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._trouble is not None, START_PATIENCE_S)
            first, trouble = self._newest, self._trouble
        if first is None:
            raise trouble or CameraError(
                f"{self._source} gave no picture within {START_PATIENCE_S:g} s; is it connected, and sending?"
            )
        height, width = first.image.shape[:2]
        options = self._options
        self._framing = Framing(options.name, (width, height), (options.width, options.height), self._calibration)

    def read(self, timeout_s: float) -> Picture:
        """Return the newest picture that was not returned before, waiting at most `timeout_s` for it.

        Raises `CameraAway` when there is none at present, and `CameraError` before `start` and when its thread has
        ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._fresh() is not None or self._stuck(), timeout_s)
            picture, trouble, running = self._fresh(), self._trouble, self._running
        if picture is None:
            if not running:
                raise CameraError(
                    f"{self._source} is not being read: camera {self._options.name} is not started, or closed"
                )
            raise trouble or CameraAway(f"{self._source} has stalled: no picture for {timeout_s:g} s")
        self._read_ns = picture.time_ns
        framing = self._framing
        height, width = picture.image.shape[:2]
        if framing is None or (width, height) != framing.native:
            before = "" if framing is None else f", before {framing.native[0]}x{framing.native[1]}"
            raise CameraAway(f"{self._source} now gives pictures of {width}x{height}{before}: put the old one back")
        return Picture(picture.time_ns, framing(picture.image))

    def close(self) -> None:
        """Close the source; harmless when it never started.

        A source that is stuck inside its driver is left to its thread, which ends with the process.
        """
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_CLOSING_S)
            self._thread = None

    def _fresh(self) -> RawPicture | None:
        newest = self._newest
        return newest if newest is not None and newest.time_ns > self._read_ns else None

    def _stuck(self) -> bool:
        return self._trouble is not None or not self._running

    def _run(self) -> None:
        """Run the thread: receive pictures while there are any, and reopen the source when there are none."""
        pause_s = FIRST_PAUSE_S
        is_open = False
        try:
            while not self._closing.is_set():
                try:
                    if not is_open:
                        self._feed.open()
                        is_open = True
                    picture = self._feed.next()
                except CameraError as error:
                    self._feed.close()
                    is_open = False
                    self._tell(None, CameraAway(str(error)))
                    self._closing.wait(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                else:
                    self._tell(picture, None)
                    pause_s = FIRST_PAUSE_S
        finally:
            self._feed.close()
            with self._changed:
                self._running = False
                self._changed.notify_all()

    def _tell(self, picture: RawPicture | None, trouble: CameraError | None) -> None:
        with self._changed:
            self._trouble = trouble
            if picture is not None and (self._newest is None or picture.time_ns > self._newest.time_ns):
                self._newest = picture
            self._changed.notify_all()
