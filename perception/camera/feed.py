"""A source of live pictures, reduced to three calls: open, wait for the next picture, close.

The implementations handle the faults of a device; `live_camera` does the rest for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robot.errors import CameraError


class EndOfPictures(CameraError):
    """A video has ended: there are no more pictures, and none is missing."""


@dataclass(frozen=True)
class RawPicture:
    """A sensor's full picture: monotonic capture time, and `image` (H, W, 3) uint8 BGR, as in OpenCV."""

    time_ns: int
    image: NDArray[np.uint8]


class Feed(Protocol):
    """A source of pictures at its own rate; used by one thread at a time."""

    def open(self) -> None:
        """Open or reopen the source. Raises `CameraError`, which says what to do: missing, busy, not permitted."""

    def next(self) -> RawPicture:
        """Wait for the next picture, for a bounded time, and return it. Raises `CameraError` when the source is
        gone."""

    def close(self) -> None:
        """Close the source; harmless when it is not open."""
