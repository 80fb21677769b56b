"""The readings of an arm over one episode, from which entries of a state are interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.state_entries import Between, entries_named


class SampleSeries:
    """The `samples` of one episode at the increasing times `seconds` (M,)."""

    def __init__(self, seconds: Vector, samples: Sequence[ArmSample]) -> None:
        self.seconds = seconds
        self.samples = samples
        self._known: dict[str, tuple[NDArray[np.float64], Between]] = {}

    def nearest(self, second: float) -> ArmSample:
        """Return the sample nearest in time to `second`."""
        return self.samples[int(np.abs(self.seconds - second).argmin())]

    def at(self, times: Vector, name: str) -> NDArray[np.float64]:
        """Return the state's entry `name` at each of `times` (T,) s.

        Raises `ConfigurationError` for an unknown name.
        """
        values, between = self._values(name)
        if between == "step":
            return values[[int(np.abs(self.seconds - time).argmin()) for time in times]]
        return np.interp(times, self.seconds, values)

    def _values(self, name: str) -> tuple[NDArray[np.float64], Between]:
        """Return the entry at every sample (M,), angles unwrapped, and how it is interpolated."""
        if name not in self._known:
            (entry,) = entries_named([name])
            values = np.array([entry.read(sample) for sample in self.samples], dtype=np.float64)
            self._known[name] = (np.unwrap(values) if entry.between == "turn" else values), entry.between
        return self._known[name]
