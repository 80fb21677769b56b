"""The last check between any set-point and the arm.

It guarantees that every set-point that it admits has a verified stop. The stop respects acceleration and jerk limits
and stays within the joints' limits. It keeps the tool inside the workspace and above the table, and every body of the
arm clear of the others, of the table and of the keep-out boxes. A request that would break this guarantee, or a limit,
is replaced by the next point of the stop that was verified last.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.arm.collisions import Clearance, clearances
from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.errors import ArmError
from robot.motion.brake import Brake, Motion, MotionState, motion_of, state_of

# Rounding only: far below what affects an arm.
_RELATIVE = 1e-3
_POSITION_SLACK = 1e-6
# An arm at rest may be this far outside its limits (sag, a nudge); further out, a person must intervene.
START_JOINT_SLACK = 0.02
START_TOOL_SLACK = 0.02


WHAT_TOUCHES = {
    "self-collision": "the arm touches itself",
    "table": "the arm touches the table",
    "keep-out": "the arm is in a keep-out box",
}
REASONS = ("not-finite", "velocity", "acceleration", "jerk", "position", "workspace", *WHAT_TOUCHES)
"""The reasons to reject a request, as `Governor.admit` returns them and states publish them."""


class GovernorState(msgspec.Struct, frozen=True):
    """The complete state of a governor between two ticks: the posture at which it was `engaged`, the last admitted
    `motion`, the motion whose stop was `verified`, and the time already spent on that stop."""

    engaged: tuple[float, ...]
    motion: MotionState
    verified: MotionState
    brake_time: float


class Governor:
    """Checks the set-points of one arm; call `engage` first. `motion` (3, n) is the last admitted motion."""

    def __init__(self, spec: ArmSpec, kinematics: Kinematics) -> None:
        self._spec = spec
        self._kinematics = kinematics
        self._period = 1.0 / spec.rate_hz
        self._jerk_doubled = 2.0 * np.asarray(spec.jerk)
        self._step, kinds = _step_checks(self._period)
        kinds = (*kinds, "velocity")
        limits = {"jerk": spec.jerk, "acceleration": spec.acceleration, "velocity": spec.velocity}
        self._step_kinds = kinds
        self._step_limits = (1.0 + _RELATIVE) * np.array([limits[kind] for kind in kinds])
        self._reach = kinematics.reach_bounds()
        self._table = spec.table_height
        self._half_jerk = 0.5 / np.asarray(spec.jerk)
        self._guards = [_Guard(clearance) for clearance in clearances(spec, kinematics)]
        self._two_motions = np.empty((6, spec.dof))
        self._found = np.empty((len(kinds), spec.dof))
        self._verified = Brake(spec)
        self._candidate = Brake(spec)

    def engage(self, position: Vector) -> None:
        """Start at rest at `position` (n,) rad.

        A position up to 0.02 rad or 0.02 m outside a limit is accepted, and that limit is moved there until the next
        call. Raises `ArmError` when the position is not finite or further outside.
        """
        spec = self._spec
        if position.shape != (spec.dof,) or not np.isfinite(position).all():
            raise ArmError(f"the arm {spec.name!r} reports joint positions that are not {spec.dof} finite numbers")
        lower, upper = np.asarray(spec.lower), np.asarray(spec.upper)
        outside = np.maximum(lower - position, position - upper)
        worst = int(outside.argmax())
        if outside[worst] > START_JOINT_SLACK:
            raise ArmError(
                f"joint {spec.joint_names[worst]!r} is at {position[worst]:.3f} rad, outside its limits "
                f"{lower[worst]:.3f} to {upper[worst]:.3f}; move the arm back by hand and try again"
            )
        tool = self._kinematics.position(position)
        box_lower, box_upper = workspace(spec)
        if max((box_lower - tool).max(), (tool - box_upper).max()) > START_TOOL_SLACK:
            raise ArmError(
                f"the tool is at ({tool[0]:.3f}, {tool[1]:.3f}, {tool[2]:.3f}) m, outside the workspace "
                f"{tuple(box_lower.tolist())} to {tuple(box_upper.tolist())}; move the arm back by hand and try again"
            )
        self._joints = (
            (np.minimum(lower, position) - _POSITION_SLACK).tolist(),
            (np.maximum(upper, position) + _POSITION_SLACK).tolist(),
            self._reach.tolist(),
        )
        self._box_lower = np.minimum(box_lower, tool) - _POSITION_SLACK
        self._box_upper = np.maximum(box_upper, tool) + _POSITION_SLACK
        for guard in self._guards:
            room = guard.measure(position)
            if room < -START_TOOL_SLACK:
                what = WHAT_TOUCHES[guard.clearance.reason]
                raise ArmError(f"{what} ({-1e3 * room:.0f} mm too near); move it back by hand and try again")
            guard.min_clearance = min(room, 0.0)
        self._engaged_at = position
        self.motion: Motion = np.zeros((3, spec.dof))
        self.motion[0] = position
        self._verified.plan(self.motion)
        self._brake_time = 0.0
        self._measure_clearance(self.motion[0])

    def state(self) -> GovernorState:
        """Return the state from which `restore` continues."""
        return GovernorState(
            tuple(self._engaged_at.tolist()), state_of(self.motion), state_of(self._verified.start), self._brake_time
        )

    def restore(self, state: GovernorState) -> None:
        """Continue from `state`, which another governor of the same arm returned."""
        self.engage(np.array(state.engaged))
        self.motion = motion_of(state.motion)
        self._verified.plan(motion_of(state.verified))
        self._brake_time = state.brake_time
        self._measure_clearance(self.motion[0])

    def touching(self, joints: Vector) -> str:
        """Return a message that says what the arm would touch at `joints` (n,) rad; empty when nothing."""
        for guard in self._guards:
            if guard.clearance.room(joints) < guard.min_clearance:
                return WHAT_TOUCHES[guard.clearance.reason]
        return ""

    def admit(self, request: Motion) -> tuple[Motion, tuple[str, ...]]:
        """Return the motion (3, n) to command one period after the last one, and the reasons why `request` is rejected.

        `request` is a motion (3, n); an admitted request is returned unchanged, with no reasons.
        """
        reasons = self._faults(request)
        if reasons:
            self._brake_time += self._period
            self.motion = self._verified.at(self._brake_time)
            return self.motion, reasons
        self._verified, self._candidate = self._candidate, self._verified
        self._brake_time = 0.0
        self.motion = request
        return request, ()

    def _faults(self, request: Motion) -> tuple[str, ...]:
        """Return the reasons to reject `request`; when there are none, `_candidate` holds its verified stop."""
        if not math.isfinite(np.add.reduce(request, axis=None)):
            return ("not-finite",)
        self._two_motions[:3] = self.motion
        self._two_motions[3:] = request
        found = self._found
        np.matmul(self._step, self._two_motions, out=found[:-1])
        # The velocity that the joint reaches while its acceleration returns to zero.
        acceleration = request[2]
        found[-1] = request[1] + acceleration * np.abs(acceleration) / self._jerk_doubled
        within = np.abs(found, out=found) <= self._step_limits
        if not within.all():
            return tuple(sorted({self._step_kinds[row] for row in np.flatnonzero(~within.all(axis=1))}))
        if not self._candidate.plan(request):
            return ("acceleration",)
        extent = self._candidate.extent()
        swing = 0.0
        for low, high, lower, upper, reach, here in zip(*extent, *self._joints, self._measured_at, strict=True):
            if low < lower or high > upper:
                return ("position",)
            swing += reach * max(high - here, here - low)
        # Joints within the extent move the tool by at most `swing` from the posture at which it was last computed.
        if swing > self._clearance and (faults := self._tool_faults(request, np.array(extent))):
            return faults
        for guard in self._guards:
            if not guard.covers(extent) and not self._stays_clear(guard, request):
                return (guard.clearance.reason,)
        return ()

    def _tool_faults(self, request: Motion, extent: NDArray[np.float64]) -> tuple[str, ...]:
        """Return why the candidate's stop, within `extent` (2, n), takes the tool out of its box; try the cheapest
        bound first."""
        self._measure_clearance(request[0])
        swing = float(self._reach @ np.abs(extent - request[0]).max(axis=0))
        if swing <= self._clearance or (self._clearance >= 0.0 and self._stays_inside(request[0], extent)):
            return ()
        time, end = 0.0, self._candidate.duration
        tool = self._tool
        while not self._outside(tool):
            if time >= end:
                return ()
            time += self._period
            tool = self._kinematics.position(self._candidate.at(time)[0])
        return ("table",) if tool[2] < self._box_lower[2] <= self._table else ("workspace",)

    def _stays_clear(self, guard: _Guard, request: Motion) -> bool:
        """Return whether the candidate's stop keeps `guard`'s bodies clear, sampled whenever they may have come too
        close.

        While it stops, a joint is never faster than the velocity that it reaches while its acceleration returns to
        zero.
        """
        room = guard.measure(request[0]) - guard.min_clearance
        time, motion = 0.0, request
        while room >= 0.0:
            if time >= self._candidate.duration:
                return True
            acceleration = motion[2]
            fastest = np.maximum(
                np.abs(motion[1]), np.abs(motion[1] + acceleration * np.abs(acceleration) * self._half_jerk)
            )
            speed = float(guard.clearance.reach @ fastest)
            time += max(room / speed if speed > 0.0 else math.inf, self._period)
            motion = self._candidate.at(time)
            room = guard.clearance.room(motion[0]) - guard.min_clearance
        return False

    def _outside(self, tool: Vector) -> bool:
        return bool((tool < self._box_lower).any() or (tool > self._box_upper).any())

    def _stays_inside(self, joints: Vector, extent: NDArray[np.float64]) -> bool:
        """Return whether Taylor's formula about `joints` (n,) keeps the tool in its box for all joints within `extent`.

        The first order is the Jacobian. A second derivative by the joints i and j is no longer than the reach of the
        outer of the two joints, which bounds the remainder.
        """
        jacobian = self._kinematics.jacobian(joints)[:3]
        forward, backward = np.maximum(jacobian, 0.0), np.minimum(jacobian, 0.0)
        lower, upper = extent - joints
        size = np.maximum(upper, -lower)
        rest = 0.5 * size.sum() * (self._reach @ size)
        least = forward @ lower + backward @ upper - rest
        greatest = forward @ upper + backward @ lower + rest
        return bool((self._tool + least > self._box_lower).all() and (self._tool + greatest < self._box_upper).all())

    def _measure_clearance(self, joints: Vector) -> None:
        """Compute the tool's distance from the nearest face of its box at `joints` (n,) rad."""
        tool = self._kinematics.position(joints)
        self._measured_at: list[float] = joints.tolist()
        self._tool = tool
        self._clearance = float(min((tool - self._box_lower).min(), (self._box_upper - tool).min()))


class _Guard:
    """A clearance with the value measured last. `min_clearance` (m, 0 or less) is the least permitted value: an arm
    that touched something when it was engaged may stay there and move away."""

    def __init__(self, clearance: Clearance) -> None:
        self.clearance = clearance
        self.min_clearance = 0.0
        self._measured = -math.inf
        self._reach: list[float] = clearance.reach.tolist()
        self._measured_at: list[float] = []

    def measure(self, joints: Vector) -> float:
        """Compute and return the clearance (m) at `joints` (n,) rad."""
        self._measured = self.clearance.room(joints)
        self._measured_at = joints.tolist()
        return self._measured

    def covers(self, extent: tuple[list[float], list[float]]) -> bool:
        """Return whether the clearance at the last computed posture suffices for all joints within `extent`."""
        swing = 0.0
        for low, high, reach, here in zip(*extent, self._reach, self._measured_at, strict=True):
            swing += reach * max(high - here, here - low)
        return swing <= self._measured - self.min_clearance


def workspace(spec: ArmSpec) -> tuple[Vector, Vector]:
    """Return the lower and the upper corner (3,) m of the tool's allowed box: the workspace above the table."""
    lower = np.array(spec.workspace.lower)
    lower[2] = max(lower[2], spec.table_height)
    return lower, np.array(spec.workspace.upper)


def _step_checks(period: float) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the conditions on one period's step, as linear forms (k, 6) of the motion before and the motion after.

    Let s run from 0 to 1 over the period. Differences of positions over several periods are sums of integrals of the
    jerk (or acceleration) over single periods, with fixed weights in s. Each integral is bounded by the largest value
    that a signal within the limit reaches. This bounds every observed velocity, acceleration and jerk, for any sequence
    of requests and stops.
    """
    t = period
    before_p, before_v, before_a, after_p, after_v, after_a = np.eye(6)
    moved = after_p - before_p
    jerk_0 = (after_a - before_a) / t  # weight 1
    jerk_1 = (after_v - before_v - t * before_a) / t**2  # weight 1 - s
    jerk_2 = (moved - t * before_v - 0.5 * t**2 * before_a) / t**3  # weight (1 - s)² / 2
    first = 0.5 * jerk_0 - jerk_1 + jerk_2  # weight s² / 2: the oldest period of a third difference
    middle = 0.5 * jerk_0 + jerk_1 - 2.0 * jerk_2  # weight 1/2 + s - s²: the middle one
    rows = (
        ("jerk", jerk_0),
        ("jerk", 2.0 * jerk_1),
        ("jerk", 6.0 * jerk_2),
        ("jerk", 6.0 * first),
        ("jerk", 1.5 * middle),
        ("acceleration", after_a),
        ("acceleration", 2.0 * (moved - t * before_v) / t**2),
        ("acceleration", 2.0 * (t * after_v - moved) / t**2),
        ("velocity", after_v),
        ("velocity", moved / t),
    )
    return np.array([row for _, row in rows]), tuple(kind for kind, _ in rows)
