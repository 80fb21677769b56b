"""What a camera is to the rest: a specification, and three calls.

The same protocol stands before the simulated camera and every real one; a camera is found by name through the
entry points `worldarm.cameras`, each of which names a `MakeCamera`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robot.errors import ConfigurationError
from robot.wire.addresses import STATE
from robot.wire.camera_spec import CameraSpec

Image: TypeAlias = NDArray[np.uint8]
"""A picture: (H, W, 3) uint8 RGB."""

MAX_SIDE = 2048  # a raw picture of this size still fits into one message
MAX_RATE_HZ = 1000


@dataclass(frozen=True)
class CameraOptions:
    """What a camera is asked to be: its `name` on the wire, size in pixels, and pictures a second.

    `state_address` is where a driver publishes its state: the simulated camera draws what it says; a real
    camera leaves it alone.
    """

    name: str = "front"
    width: int = 64
    height: int = 64
    rate_hz: float = 30.0
    state_address: str = STATE

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for what no camera can be."""
        if not self.name or "/" in self.name or "." in self.name:
            raise ConfigurationError(f"a camera's name is a word without '/' and '.', not {self.name!r}")
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            raise ConfigurationError(
                f"pictures of {self.width}x{self.height}: each side must be 1 to {MAX_SIDE} pixels"
            )
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            raise ConfigurationError(f"{self.rate_hz:g} pictures a second: choose above 0, at most {MAX_RATE_HZ}")


@dataclass(frozen=True)
class Picture:
    """What a camera saw: monotonic capture time, and `image` (H, W, 3) uint8 RGB."""

    time_ns: int
    image: Image


class Camera(Protocol):
    """A camera that the camera process can publish."""

    @property
    def spec(self) -> CameraSpec:
        """Size, intrinsics and, where known, pose; fixed once started."""

    def start(self) -> None:
        """Open the camera. Raises `CameraError`."""

    def read(self, timeout_s: float) -> Picture:
        """Return the newest picture, waiting at most `timeout_s` for it.

        Raises `CameraAway` when there is none for now and it is worth asking again, `EndOfPictures` after the last one
        of a recording, and `CameraError` when the camera cannot go on.
        """

    def close(self) -> None:
        """Release the camera; harmless when it never started."""


@runtime_checkable
class HasSensor(Protocol):
    """A camera that takes its pictures from something of a size of its own."""

    def sensor(self) -> str:
        """Return, once started, what the sensor gives and what becomes of it, in words for a user."""


MakeCamera: TypeAlias = Callable[[CameraOptions], Camera]
