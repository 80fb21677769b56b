"""Watches whether the arm follows its set-points.

An arm that follows is, at each reading, near one of the set-points of the last moments: it lags behind, and never
leaves the range of positions that they span. Time is counted in readings that came and not by a clock, so that a
computer or an arm that is slow for a while raises no fault.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from robot.arm.interface import ArmSpec, Reading, Vector

PERSISTS_S = 0.1
"""How long an arm must be away from its recent set-points, at its full rate, before it counts as not following."""


class FollowingMonitor:
    """Watches one arm with the specification `spec`; `command` each set-point and `see` each reading."""

    def __init__(self, spec: ArmSpec) -> None:
        self._spec = spec
        self._persists = max(3, round(PERSISTS_S * spec.rate_hz))
        # Per reading, the least and the greatest set-point (2, n) since the reading before.
        self._spans: deque[Vector] = deque(maxlen=max(1, round(spec.lag_s * spec.rate_hz)))
        self._since: Vector | None = None
        self._last: Vector | None = None
        self._time_ns = 0
        self._away = 0

    def begin(self) -> None:
        """Forget all set-points: the next one is where the arm stands."""
        self._spans.clear()
        self._since = self._last = None
        self._away = 0

    def command(self, set_point: Vector) -> None:
        """Note that `set_point` (n,) rad was commanded."""
        self._last = set_point
        if self._since is None:
            self._since = np.array((set_point, set_point))
        else:
            np.minimum(self._since[0], set_point, out=self._since[0])
            np.maximum(self._since[1], set_point, out=self._since[1])

    def see(self, reading: Reading) -> str:
        """Process `reading`; return a message that names the joint when the arm does not follow, else "". A reading
        that was seen before does not count."""
        if self._since is None or self._last is None or reading.time_ns == self._time_ns:
            return ""
        self._time_ns = reading.time_ns
        self._spans.append(self._since)
        self._since = np.array((self._last, self._last))
        measured = np.array(reading.positions)
        beyond = self._beyond(measured)
        worst = int(beyond.argmax())
        self._away = self._away + 1 if beyond[worst] > 0.0 else 0
        if self._away < self._persists:
            return ""
        return (
            f"{self._spec.joint_names[worst]} does not follow: it is "
            f"{math.degrees(abs(measured[worst] - self._last[worst])):.1f}° from its set-point; it is blocked, bears "
            "too much or its motor is without power: hold the arm, free it, check that joint's cable and power"
        )

    def _beyond(self, measured: Vector) -> Vector:
        """Return how far each joint (n,) is further than allowed from all recent set-points, in rad; 0 or less while it
        follows."""
        assert self._last is not None
        allowed = self._spec.follow_error
        near: Vector = np.abs(measured - self._last) - allowed
        if near.max() <= 0.0:  # as nearly always; the search below takes longer
            return near
        spans = np.array(self._spans)
        lowest, highest = spans[:, 0].min(axis=0), spans[:, 1].max(axis=0)
        beyond: Vector = np.maximum(lowest - measured, measured - highest) - allowed
        return beyond
