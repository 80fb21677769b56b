"""Slows the arm down towards obstacles, before the governor would have to brake.

A velocity damper limits the approach speed to a constant times the remaining distance (Faverjon and Tournassoud, "A
local based approach for path planning of manipulators", ICRA 1987). The distance then decays exponentially, and motion
away from the obstacle is not limited.
"""

from __future__ import annotations

import numpy as np

from robot.arm.collisions import clearances
from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.motion.governor import workspace

GAIN = 4.0
"""Highest approach speed per distance, 1/s: 0.1 m from an obstacle it is 0.4 m/s."""
_LOOK_S = 0.1
_JOINT_MARGIN = 2e-3
_TOOL_MARGIN = 1e-3
_BODY_MARGIN = 3e-3


class VelocityDamper:
    """Damps velocities of one arm near its obstacles: joint limits, the tool's workspace, the table, the arm itself and
    keep-out boxes."""

    def __init__(self, spec: ArmSpec, kinematics: Kinematics) -> None:
        self._names = spec.joint_names
        self._kinematics = kinematics
        self.lower = np.asarray(spec.lower) + _JOINT_MARGIN
        self.upper = np.asarray(spec.upper) - _JOINT_MARGIN
        box_lower, box_upper = workspace(spec)
        self._box_lower, self._box_upper = box_lower + _TOOL_MARGIN, box_upper - _TOOL_MARGIN
        self._guards = clearances(spec, kinematics)

    def slide(self, tool: Vector, linear: Vector) -> tuple[Vector, tuple[str, ...]]:
        """Return the velocity `linear` (3,) m/s of a tool at `tool` (3,) m, slowed towards each face of its workspace,
        and the reasons. Motion along a face is not slowed: the tool slides along it."""
        most = GAIN * np.maximum(self._box_upper - tool, 0.0)
        least = -GAIN * np.maximum(tool - self._box_lower, 0.0)
        slowed = np.minimum(np.maximum(linear, least), most)
        return slowed, () if np.array_equal(slowed, linear) else ("workspace",)

    def damp(self, joints: Vector, velocity: Vector) -> tuple[Vector, tuple[str, ...]]:
        """Return `velocity` (n,) rad/s at `joints` (n,) rad, scaled as a whole so that its direction stays, and the
        reasons: "NAME limit", "workspace", "self-collision", "table" or "keep-out"."""
        if not velocity.any():
            return velocity, ()
        share, reasons = 1.0, []
        room = np.where(velocity > 0.0, self.upper - joints, joints - self.lower)
        for joint in np.flatnonzero(np.abs(velocity) > GAIN * np.maximum(room, 0.0)):
            share = min(share, GAIN * max(float(room[joint]), 0.0) / abs(float(velocity[joint])))
            reasons.append(f"{self._names[joint]} limit")
        after = joints + _LOOK_S * velocity
        for reason, left, closing in self._rooms(joints, after):
            allowed = GAIN * max(left, 0.0)
            if closing > allowed:
                share = min(share, allowed / closing)
                reasons.append(reason)
        return share * velocity, tuple(dict.fromkeys(reasons))

    def _rooms(self, here: Vector, there: Vector) -> list[tuple[str, float, float]]:
        """Return for each obstacle its name, its distance (m) at `here` (n,), and how fast (m/s) that shrinks."""
        tool, later = self._kinematics.position(here), self._kinematics.position(there)
        found = []
        for left, then in (
            (tool - self._box_lower, later - self._box_lower),
            (self._box_upper - tool, self._box_upper - later),
        ):
            found += [("workspace", float(a), float(a - b) / _LOOK_S) for a, b in zip(left, then, strict=True)]
        for guard in self._guards:
            room = guard.room(here) - _BODY_MARGIN
            found.append((guard.reason, room, (room + _BODY_MARGIN - guard.room(there)) / _LOOK_S))
        return found
