"""A feed in a test's hands: it gives pictures when told, and is gone when told, as a device does of its own."""

from __future__ import annotations

import threading
import time

import numpy as np

from perception.camera.feed import RawPicture
from robot.errors import CameraError


class ScriptedFeed:
    """Gives each picture that is pushed, waits while none is, and fails once it is unplugged."""

    def __init__(self, width: int = 80, height: int = 60) -> None:
        self.width, self.height = width, height
        self.opened = 0
        self.closed = 0
        self.stuck = threading.Event()
        self.stuck.set()
        self._changed = threading.Condition()
        self._waiting: list[RawPicture] = []
        self._plugged = True

    def push(self, level: int, time_ns: int | None = None) -> None:
        """The sensor takes a picture, all of one grey `level`."""
        image = np.full((self.height, self.width, 3), level, np.uint8)
        with self._changed:
            self._waiting.append(RawPicture(time.monotonic_ns() if time_ns is None else time_ns, image))
            self._changed.notify_all()

    @property
    def drained(self) -> bool:
        """Whether every picture pushed was taken."""
        return not self._waiting

    def unplug(self) -> None:
        with self._changed:
            self._plugged = False
            self._waiting.clear()
            self._changed.notify_all()

    def plug(self) -> None:
        with self._changed:
            self._plugged = True

    def open(self) -> None:
        if not self._plugged:
            raise CameraError("there is no device")
        self.opened += 1

    def next(self) -> RawPicture:
        self.stuck.wait()  # a driver that does not come back, while a test has it so
        with self._changed:
            # A device that stalls is waited for; one that is gone fails at once.
            self._changed.wait_for(lambda: self._waiting or not self._plugged, 60.0)
            if not self._waiting:
                raise CameraError("the device is gone")
            return self._waiting.pop(0)

    def close(self) -> None:
        self.closed += 1
