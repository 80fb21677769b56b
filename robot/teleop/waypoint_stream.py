"""The stream of waypoints of a person's motion: sent a short time ahead each turn, and ending when no turn follows.

Each turn commits the arm to a point `LEAD_S` from now and sends one more beyond it, in case the next turn is late. So
when the operator's process dies, the arm comes to rest at the last point, before the lease has lapsed.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from robot.arm.interface import ArmSpec, Vector
from robot.client.client import Client
from robot.errors import Refused
from robot.motion.waypoint_path import HALF_WINDOW_S
from robot.wire.messages import JointState, Waypoint

LEAD_S = HALF_WINDOW_S + 0.01
"""The driver rounds corners over a time window: a point that is sent later than this would jolt the arm."""
COAST_S = 0.08
"""How much longer the arm moves on when a turn is late."""
_ASTRAY = 0.1
"""When sent and governed joints differ by more than this, rad, the stream restarts from where the arm is."""
_REMEMBERED = 64
_STILL = 1e-4
_LEAD_NS, _COAST_NS = round(LEAD_S * 1e9), round(COAST_S * 1e9)

# Refusals that do not end the lease: this motion is not possible, another may be.
_NOT_THAT_WAY = ("late", "too-fast", "out-of-limits", "out-of-workspace", "touches")


class WaypointStream:
    """Sends one arm's waypoints over `client`. `head` (n,) rad with `gripper_width` m is the last committed point."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._spec: ArmSpec = client.arm
        self._lower, self._upper = np.asarray(self._spec.lower), np.asarray(self._spec.upper)
        self._head_ns = 0
        self._velocity = np.zeros(self._spec.dof)
        self._committed = False
        self._sent: deque[tuple[int, Vector]] = deque(maxlen=_REMEMBERED)
        self.head = np.asarray(self._spec.home, dtype=np.float64)
        self.gripper_width = 0.0
        self.running = False

    def drop(self) -> None:
        """Forget the sent points: the arm no longer moves towards them."""
        self.running = False
        self._sent.clear()

    def catch_up(self, now_ns: int, state: JointState, blocked: bool) -> float:
        """Set `head` to where the next motion begins, and return how long (s) it may take.

        It begins at the last committed point. When there is none, when the governor `blocked` the way to it, or when
        the arm has fallen behind, it begins at the arm's set-point in `state`.
        """
        to_ns = now_ns + _LEAD_NS
        if not self.running or blocked or self._astray(state) or now_ns > self._head_ns + _COAST_NS:
            self._begin(to_ns - round(1e9 / self._spec.rate_hz) * 2, state)
        elif now_ns >= self._head_ns:
            # So late that the arm has begun to coast: part of that motion is committed.
            coasted = min(now_ns + _LEAD_NS // 2 - self._head_ns, _COAST_NS)
            self._head_ns += coasted
            self._committed = False
            self.head = self._within(self.head + coasted * 1e-9 * self._velocity)
        return max((to_ns - self._head_ns) * 1e-9, 1.0 / self._spec.rate_hz)

    def go(self, velocity: Vector, seconds: float, gripper_width: float) -> str:
        """Send the next point, `seconds` after `head` at `velocity` (n,) rad/s, and one beyond it; return why the
        driver refused them, empty when it accepted them.

        Raises `Refused` when the lease is lost or the arm is stopped, and the errors of `Client`.
        """
        spec = self._spec
        end_ns = self._head_ns + round(seconds * 1e9)
        end = self._within(self.head + seconds * velocity)
        beyond = self._within(end + COAST_S * velocity)
        closed, opened = spec.gripper_range
        width = min(max(gripper_width, closed), opened)
        waypoints = [
            Waypoint(end_ns, tuple(end.tolist()), width),
            Waypoint(end_ns + _COAST_NS, tuple(beyond.tolist()), width),
        ]
        if not self._committed:
            waypoints.insert(0, Waypoint(self._head_ns, tuple(self._within(self.head).tolist()), self.gripper_width))
        try:
            self._client.send_waypoints(waypoints)
        except Refused as refusal:
            if refusal.reason not in _NOT_THAT_WAY:
                raise
            self.drop()
            return refusal.reason
        self.running = self._committed = True
        self._head_ns, self.head, self.gripper_width, self._velocity = end_ns, end, width, velocity
        self._sent.append((end_ns, end))
        return ""

    def at_rest(self, state: JointState) -> bool:
        """Return whether the arm in `state` rests at the last sent point, and no further point is due."""
        return not self.running or (
            state.time_ns > self._head_ns
            and max(map(abs, state.governed_velocity)) < _STILL
            and not self._velocity.any()
            and abs(state.gripper_command - self.gripper_width) < 1e-4
        )

    def _begin(self, from_ns: int, state: JointState) -> None:
        self._sent.clear()
        self._committed = False
        self._head_ns = from_ns
        self.head = np.asarray(state.governed, dtype=np.float64)
        self.gripper_width = state.gripper_command
        self._velocity = np.zeros(self._spec.dof)

    def _astray(self, state: JointState) -> bool:
        """Return whether the arm is far from where it should have been at the time of `state`."""
        known = [point for time_ns, point in self._sent if time_ns <= state.time_ns]
        if not known:
            return False
        return bool(np.abs(known[-1] - np.asarray(state.governed)).max() > _ASTRAY)

    def _within(self, joints: Vector) -> Vector:
        return np.minimum(np.maximum(joints, self._lower), self._upper)
