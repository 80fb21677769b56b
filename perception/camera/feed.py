"""Where live pictures come from, as small as it can be: open, wait for the next, close.

Everything that a device can do wrong lies behind these three calls; `live_camera` does the rest for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robot.errors import CameraError


class EndOfPictures(CameraError):
    """There are no more pictures, and none is missing: a video is at its end."""


@dataclass(frozen=True)
class RawPicture:
    """A sensor's whole picture: monotonic capture time, and `image` (H, W, 3) uint8 BGR as OpenCV has it."""

    time_ns: int
    image: NDArray[np.uint8]


class Feed(Protocol):
    """A source that gives pictures at its own pace; used by one thread at a time."""

    def open(self) -> None:
        """Open it anew. Raises `CameraError` in words that say what to do: missing, busy, not allowed."""

    def next(self) -> RawPicture:
        """Wait for the next picture, for a bounded time, and return it. Raises `CameraError` when it is gone."""

    def close(self) -> None:
        """Let go of it; harmless when it is not open."""
