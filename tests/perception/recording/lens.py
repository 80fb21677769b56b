"""A camera process in the test's hand: pictures that tell when they were taken, at a pace that can be interrupted."""

from __future__ import annotations

import threading
import time

import numpy as np

from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, encode
from robot.wire.publisher import Publisher
from robot.wire.topics import FRAME as TOPIC

WIDTH, HEIGHT = 32, 24


class Lens:
    """Publishes pictures of one camera in a thread of its own, 30 a second; picture k is all of the grey level k % 200.

    While `covered` none is taken; `delay_s` is how long one is on its way; `broken` ones have too few bytes. Another
    `spec` makes it another camera at the same address.
    """

    def __init__(self, name: str = "front", rate_hz: float = 30.0, width: int = WIDTH, focal: float = 30.0) -> None:
        self.spec = CameraSpec(name, width, HEIGHT, (focal, focal), (width / 2, HEIGHT / 2))
        self.covered = self.broken = False
        self.delay_s = 0.0
        self._period_s = 1.0 / rate_hz
        self._publisher = Publisher("tcp://127.0.0.1:*", 100)
        self.endpoint = self._publisher.endpoint
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._shoot)
        self._thread.start()

    def _shoot(self) -> None:
        number = 0
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += self._period_s
            if self.covered:
                continue
            taken_ns = time.monotonic_ns()
            if self.delay_s:
                time.sleep(self.delay_s)
            spec = self.spec
            picture = np.full((spec.height, spec.width, 3), number % 200, np.uint8)
            data = b"nothing" if self.broken else picture.tobytes()
            frame = Frame(taken_ns, number, spec, "rgb8", data)
            self._publisher.send(TOPIC, encode(frame, number, time.monotonic_ns()))
            number += 1

    def __enter__(self) -> Lens:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._publisher.close()
