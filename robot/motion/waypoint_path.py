"""The reference path over time: timed waypoints joined by straight segments, with rounded corners.

The rounding is a moving average centred on the requested time, so that it adds no lag on a straight segment. It turns
each step in velocity at a waypoint into a stretch of constant acceleration.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.wire.messages import Waypoint

HALF_WINDOW_S = 0.05
_HALF_WINDOW_NS = round(HALF_WINDOW_S * 1e9)


class ReferenceState(msgspec.Struct, frozen=True):
    """The complete state of a reference: its points (n + 1,) and their times."""

    times_ns: tuple[int, ...]
    points: tuple[tuple[float, ...], ...]


class Reference:
    """A timed polyline of joints and gripper width; it is at rest before its first point and after its last.

    Points are vectors (n + 1,): joints in rad, then the gripper's width in m. `fastest` (n,) rad/s are the joints'
    velocity limits.
    """

    def __init__(self, point: Vector, fastest: Vector) -> None:
        self._powers = np.eye(3)
        self._fastest = fastest
        self.rest_at(point)

    def rest_at(self, point: Vector) -> None:
        """Forget all waypoints and stay at `point` (n + 1,)."""
        self._times_ns = [0]
        self._points = [np.array(point, dtype=np.float64)]
        self.last_ns = 0
        self._build()

    def join(self, first_ns: int, now_ns: int) -> tuple[int, Vector]:
        """Return the time and point (n + 1,) from which a waypoint at `first_ns` will be approached."""
        kept = self._kept(first_ns)
        if kept and self._times_ns[kept - 1] > now_ns:
            return self._times_ns[kept - 1], self._points[kept - 1]
        return now_ns, self._plain(now_ns)

    def replace(self, waypoints: Sequence[Waypoint], now_ns: int, followed_ns: int) -> None:
        """Replace every point not earlier than the first of `waypoints`.

        The first must be later than `now_ns`, and their times must increase. The arm has followed the present points
        until `followed_ns`, which is earlier than `now_ns` after ticks that came late.
        """
        joint_ns, joint = self.join(waypoints[0].time_ns, now_ns)
        kept = self._kept(waypoints[0].time_ns)
        # The average looks back half a window: keep the points in it, and the one before.
        oldest = max(0, bisect_right(self._times_ns, min(now_ns, followed_ns) - 2 * _HALF_WINDOW_NS) - 1)
        times_ns, points = self._times_ns[oldest:kept], self._points[oldest:kept]
        if not times_ns or times_ns[-1] < joint_ns:
            times_ns.append(joint_ns)
            points.append(joint)
        for waypoint in waypoints:
            times_ns.append(waypoint.time_ns)
            points.append(np.array((*waypoint.positions, waypoint.gripper_width)))
        self._times_ns, self._points = times_ns, points
        self.last_ns = times_ns[-1]
        self._build()

    def state(self) -> ReferenceState:
        """Return the state from which `restore` continues."""
        return ReferenceState(tuple(self._times_ns), tuple(tuple(point.tolist()) for point in self._points))

    def restore(self, state: ReferenceState) -> None:
        """Continue from `state`, which another reference returned."""
        self._times_ns = list(state.times_ns)
        self._points = [np.array(point) for point in state.points]
        self.last_ns = self._times_ns[-1]
        self._build()

    def at(self, time_ns: float) -> NDArray[np.float64]:
        """Return rows of position, velocity and acceleration (3, n + 1) of the rounded polyline at `time_ns`."""
        if time_ns - _HALF_WINDOW_NS >= self.last_ns or len(self._points) == 1:
            return self._rest
        later = self._moments(time_ns + _HALF_WINDOW_NS)
        earlier = self._moments(time_ns - _HALF_WINDOW_NS)
        return (later - earlier) / (2.0 * HALF_WINDOW_S)

    def rests(self, since_ns: float, until_ns: float) -> bool:
        """Return whether it stands still at all times from `since_ns` to `until_ns`."""
        first, last = self._segments(min(since_ns, until_ns), max(since_ns, until_ns))
        return not any(self._moves[first : last + 1])

    def headroom(self, since_ns: float, until_ns: float) -> float:
        """Return how much faster than planned the path may be followed from `since_ns` to `until_ns` without going
        faster than the plan does anywhere, at least 1. A speed is the largest share of a joint's velocity limit."""
        first, last = self._segments(since_ns, until_ns)
        here = max(self._speeds[first : last + 1])
        return self._speed / here if here > 0.0 else math.inf

    def _segments(self, since_ns: float, until_ns: float) -> tuple[int, int]:
        """Return the first and the last segment that the moving average covers from `since_ns` to `until_ns`."""
        first = bisect_right(self._times_ns, since_ns - _HALF_WINDOW_NS)
        return first, bisect_right(self._times_ns, until_ns + _HALF_WINDOW_NS)

    def _kept(self, first_ns: int) -> int:
        """Return how many of the present points stay when waypoints from `first_ns` on arrive."""
        return bisect_right(self._times_ns, first_ns - 1)

    def _plain(self, time_ns: int) -> Vector:
        """Return the point (n + 1,) of the polyline before its corners are rounded."""
        index = min(max(bisect_right(self._times_ns, time_ns) - 1, 0), len(self._points) - 1)
        elapsed = max(0, time_ns - self._times_ns[index]) * 1e-9
        return self._coefficients[index + 1, 1] + elapsed * self._coefficients[index + 1, 2]

    def _moments(self, time_ns: float) -> NDArray[np.float64]:
        """Return the polyline's integral since its first point, its value and its slope, as rows (3, n + 1)."""
        segment = bisect_right(self._times_ns, time_ns)
        elapsed = (time_ns - self._times_ns[max(segment - 1, 0)]) * 1e-9
        powers = self._powers
        powers[0, 1] = powers[1, 2] = elapsed
        powers[0, 2] = 0.5 * elapsed * elapsed
        return powers @ self._coefficients[segment]

    def _build(self) -> None:
        """Compute each segment's integral so far, first point and slope, (m + 1, 3, n + 1), including the rest at each
        end."""
        count = len(self._points)
        self._coefficients = np.zeros((count + 1, 3, self._points[0].shape[0]))
        self._coefficients[0, 1] = self._points[0]
        self._coefficients[1:, 1] = self._points
        for index in range(count - 1):
            span = (self._times_ns[index + 1] - self._times_ns[index]) * 1e-9
            start, end = self._points[index], self._points[index + 1]
            self._coefficients[index + 1, 2] = (end - start) / span
            self._coefficients[index + 2, 0] = self._coefficients[index + 1, 0] + 0.5 * span * (start + end)
        slopes = self._coefficients[:, 2]
        self._moves: list[bool] = (slopes != 0.0).any(axis=1).tolist()
        speeds = np.abs(slopes[:, :-1] / self._fastest).max(axis=1)
        self._speeds: list[float] = speeds.tolist()
        self._speed = max(self._speeds)
        self._rest = np.zeros((3, self._points[0].shape[0]))
        self._rest[0] = self._points[-1]
