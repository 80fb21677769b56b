"""What is known at one instant: pictures and the state of the arm. Everything that decides takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.errors import CameraError


@dataclass(frozen=True)
class Observation:
    """`pictures` (H, W, 3) uint8 RGB by camera name; the picture of a rig is one, its views stacked, under the rig's
    name. `state` (P,) in SI units has the entries that the embodiment description names. `time_ns` is when the pictures
    were captured, on the monotonic clock or the simulated one. `extras` are readings of other senses, by name.
    """

    pictures: Mapping[str, NDArray[np.uint8]]
    state: Vector
    time_ns: int
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def picture(self, camera: str) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3) of `camera`. Raises `CameraError` when there is none."""
        try:
            return self.pictures[camera]
        except KeyError:
            raise CameraError(
                f"the observation has no picture of the camera {camera!r}; it has {', '.join(self.pictures) or 'none'}"
            ) from None
