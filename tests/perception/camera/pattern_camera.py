"""A camera without a lens: each picture says which one it is. Its name tells it how to misbehave."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from perception.camera.interface import CameraOptions, Picture
from robot.errors import CameraError
from robot.registry import CAMERAS
from robot.wire.camera_spec import CameraSpec
from tests import strangers

WORKING_PICTURES = 5


class PatternCamera:
    """Picture k is filled with k in red, k // 256 in green, and its rows in blue.

    Called "unplugged" it fails after a few pictures, called "absent" it does not start, called "foreign" its
    pictures are not of its size, called "slow" it has a new picture at every third reading only.
    """

    def __init__(self, options: CameraOptions) -> None:
        self.spec = CameraSpec(options.name, options.width, options.height, (60.0, 60.0), (32.0, 32.0))
        self._reads = 0
        self._time_ns = 0

    def start(self) -> None:
        if self.spec.name == "absent":
            raise CameraError("camera absent is not there; plug it in")

    def read(self, timeout_s: float) -> Picture:
        if self.spec.name == "unplugged" and self._reads >= WORKING_PICTURES:
            raise CameraError("camera unplugged gave no picture;\n  look at its cable")
        if self.spec.name != "slow" or self._reads % 3 == 0:
            self._time_ns = time.monotonic_ns()
        image = pattern(self._reads, self.spec)
        self._reads += 1
        return Picture(self._time_ns, image[:-1] if self.spec.name == "foreign" else image)

    def close(self) -> None:
        print(f"closed {self.spec.name}")


def pattern(index: int, spec: CameraSpec) -> np.ndarray:
    """Return the picture number `index`."""
    image = np.zeros((spec.height, spec.width, 3), np.uint8)
    image[..., 0] = index % 256
    image[..., 1] = index // 256 % 256
    image[..., 2] = np.arange(spec.height)[:, None] % 256
    return image


def install(folder: Path) -> Path:
    """Install this camera in `folder` as the camera "pattern"; returns the folder."""
    offers = {"pattern": "tests.perception.camera.pattern_camera:PatternCamera"}
    strangers.install(folder, "pattern-camera", CAMERAS, offers)
    return folder
