"""What an arm did over time, as samples: any number that is computed from a sample, at any moment between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.embodiment.arm_sample import ArmSample

Between = Literal["line", "turn", "step"]
"""How a number goes from one sample to the next: in a straight line; likewise, as an angle in rad that may pass ±π; or
by a step, so that the nearest sample's holds."""


class SampleSeries:
    """The `samples` of one episode at `seconds` (M,), which increase."""

    def __init__(self, seconds: Vector, samples: Sequence[ArmSample]) -> None:
        self._seconds = seconds
        self._samples = samples

    def nearest(self, second: float) -> ArmSample:
        """Return the sample nearest to a moment."""
        return self._samples[int(np.abs(self._seconds - second).argmin())]

    def at(self, times: Vector, value: Callable[[ArmSample], float], between: Between = "line") -> NDArray[np.float64]:
        """Return what `value` is at each of `times` (T,) s."""
        values = np.array([value(sample) for sample in self._samples], dtype=np.float64)
        if between == "step":
            return values[[int(np.abs(self._seconds - time).argmin()) for time in times]]
        return np.interp(times, self._seconds, np.unwrap(values) if between == "turn" else values)
