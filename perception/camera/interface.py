"""The camera as the rest of the system sees it: a specification, and three calls.

Simulated and real cameras implement the same protocol. A camera is found by name through the entry-point group
`worldarm.cameras`, whose entries are factories of the type `MakeCamera`.
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

MAX_SIDE = 2048  # an uncompressed picture of this size still fits into one message
MAX_RATE_HZ = 1000


@dataclass(frozen=True)
class CameraOptions:
    """The requested properties of a camera: its `name` on the wire, its size in pixels, and its rate of pictures.

    `state_address` is the address at which a driver publishes its state, and `command_address` the one at which it says
    so, which comes first where it is given. The simulated camera draws that state; a real camera ignores both.
    """

    name: str = "front"
    width: int = 64
    height: int = 64
    rate_hz: float = 30.0
    state_address: str = STATE
    command_address: str | None = None

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for an invalid name, size or rate."""
        if not self.name or "/" in self.name or "." in self.name or not self.name.isprintable():
            raise ConfigurationError(f"a camera's name is a word without '/' and '.', not {self.name!r}")
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            raise ConfigurationError(
                f"pictures of {self.width}x{self.height}: each side must be 1 to {MAX_SIDE} pixels"
            )
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            raise ConfigurationError(f"{self.rate_hz:g} pictures a second: choose above 0, at most {MAX_RATE_HZ}")


@dataclass(frozen=True)
class Picture:
    """A camera's picture: monotonic capture time, and `image` (H, W, 3) uint8 RGB."""

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

        Raises `CameraAway` when there is none at present and the call is to be repeated, `EndOfPictures` after the last
        one of a recording, and `CameraError` when the camera cannot continue.
        """

    def close(self) -> None:
        """Release the camera; harmless when it never started."""


@runtime_checkable
class HasSensor(Protocol):
    """A camera whose sensor or source has its own picture size."""

    def sensor(self) -> str:
        """Return, once started, a description for users of the sensor's pictures and of how they are cropped and
        resized."""


MakeCamera: TypeAlias = Callable[[CameraOptions], Camera]
