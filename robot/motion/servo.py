"""One tick of the arm's motion: the trajectory requests a set-point, the governor admits or replaces it.

The same class runs inside the driver and inside the lock-step simulation, so a model learnt in one is valid in the
other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.errors import ArmError, Refused
from robot.motion.governor import Governor, GovernorState, workspace
from robot.motion.trajectory import Trajectory, TrajectoryState
from robot.motion.waypoint_path import HALF_WINDOW_S
from robot.wire.messages import Waypoint

LATE_TOLERANCE_NS = 10_000_000
# Rounding only: a waypoint exactly at a limit, written and read back, is within it.
_RELATIVE_SLACK = 1e-3
_POSITION_SLACK = 1e-6


@dataclass(frozen=True)
class SetPoint:
    """What to command at one tick.

    `requested` (n,) rad is the trajectory's set-point, `governed` (n,) rad the one to command, and `velocity` (n,)
    rad/s the governed velocity; `gripper_width` is in m. `clamps` names the reasons why requested and governed differ;
    it is empty when they are equal. `at_rest` is true when the arm stands still and has no waypoint left to reach.
    """

    requested: Vector
    governed: Vector
    velocity: Vector
    gripper_width: float
    clamps: tuple[str, ...]
    at_rest: bool


class ServoState(msgspec.Struct, frozen=True):
    """The complete state of an engaged servo between two ticks."""

    trajectory: TrajectoryState
    governor: GovernorState


class Servo:
    """Moves one arm through waypoints; `engage` first, then `tick` once a period."""

    def __init__(self, spec: ArmSpec) -> None:
        self._spec = spec
        self._kinematics = Kinematics(spec)
        self._governor = Governor(spec, self._kinematics)
        self._trajectory: Trajectory | None = None
        self._period_ns = round(1e9 / spec.rate_hz)
        self._lower = np.asarray(spec.lower) - _POSITION_SLACK
        self._upper = np.asarray(spec.upper) + _POSITION_SLACK
        self._velocity = (1.0 + _RELATIVE_SLACK) * np.asarray(spec.velocity)
        self._box_lower, self._box_upper = workspace(spec)

    @property
    def active_until_ns(self) -> int:
        """Time of the last waypoint accepted since `engage` or `hold`, 0 when there is none."""
        return 0 if self._trajectory is None else self._trajectory.active_until_ns

    @property
    def behind_ns(self) -> int:
        """How far the plan is behind the clock, after ticks that came late or not at all."""
        return 0 if self._trajectory is None else self._trajectory.behind_ns

    def engage(self, measured: Vector, gripper_width: float, ramp_s: float = 0.0) -> None:
        """Start at rest at the joints `measured` (n,) rad. The first set-point is there, and during the first `ramp_s`
        seconds the velocity is limited by a ramp.

        The arm must stand still. Raises `ArmError` when it is well outside its limits.
        """
        position = np.array(measured, dtype=np.float64)
        if not math.isfinite(gripper_width):
            raise ArmError(f"the arm {self._spec.name!r} reports a gripper width that is not finite")
        self._governor.engage(position)
        closed, opened = self._spec.gripper_range
        self._trajectory = Trajectory(self._spec, position, min(max(gripper_width, closed), opened), ramp_s)

    def state(self) -> ServoState:
        """Return the state from which `restore` continues, identical to the last bit."""
        return ServoState(self._engaged().state(), self._governor.state())

    def restore(self, state: ServoState) -> None:
        """Continue from `state`, which another servo of the same arm returned."""
        self.engage(np.array(state.governor.engaged), state.trajectory.gripper_width)
        self._governor.restore(state.governor)
        self._engaged().restore(state.trajectory)

    def accept(self, waypoints: Sequence[Waypoint], now_ns: int) -> tuple[str, ...]:
        """Replace every waypoint not yet reached that is not earlier than the first of `waypoints`.

        When the first is overdue by less than `LATE_TOLERANCE_NS`, all are moved by the same time, so that the first is
        due after the time that it takes to set off, and "late" is returned: they keep their speed.
        Raises `Refused`, with nothing changed, for waypoints that are malformed, late, out of order, outside
        the limits or the workspace, or too far apart for the joints' velocity limits.
        """
        trajectory = self._engaged()
        self._check_form(waypoints, now_ns)
        positions = np.array([waypoint.positions for waypoint in waypoints], dtype=np.float64)
        self._check_places(positions)
        earliest_ns = now_ns + self._period_ns
        due = waypoints[0].time_ns < earliest_ns
        if due:
            by_ns = now_ns + round(HALF_WINDOW_S * 1e9) - waypoints[0].time_ns
            waypoints = [msgspec.structs.replace(each, time_ns=each.time_ns + by_ns) for each in waypoints]
        self._check_speed(trajectory, waypoints, positions, now_ns)
        trajectory.follow(waypoints, now_ns)
        return ("late",) if due else ()

    def hold(self) -> None:
        """Drop all waypoints and come to rest as quickly as acceleration and jerk limits allow."""
        if self._trajectory is not None:
            self._trajectory.stop()

    def tick(self, now_ns: int) -> SetPoint:
        """Advance one period and return the set-point for its end; call it once a period."""
        trajectory = self._engaged()
        request = trajectory.advance(now_ns)
        motion, clamps = self._governor.admit(request)
        if clamps:
            trajectory.resume(motion)
        return SetPoint(
            requested=request[0],
            governed=motion[0],
            velocity=motion[1],
            gripper_width=trajectory.gripper_width,
            clamps=clamps,
            at_rest=trajectory.settled(),
        )

    def _engaged(self) -> Trajectory:
        if self._trajectory is None:
            raise ArmError(f"the arm {self._spec.name!r} has not been engaged; call engage() with its position first")
        return self._trajectory

    def _check_form(self, waypoints: Sequence[Waypoint], now_ns: int) -> None:
        dof = self._spec.dof
        if not waypoints:
            raise Refused("bad-length", "no waypoints; send at least one")
        for index, waypoint in enumerate(waypoints):
            if len(waypoint.positions) != dof:
                raise Refused("bad-length", f"waypoint {index} has {len(waypoint.positions)} joints; the arm has {dof}")
            if not (all(map(math.isfinite, waypoint.positions)) and math.isfinite(waypoint.gripper_width)):
                raise Refused("not-finite", f"waypoint {index} holds a number that is not finite")
            if index and waypoint.time_ns <= waypoints[index - 1].time_ns:
                raise Refused("time-order", f"waypoint {index} is not later than the one before it")
        behind = now_ns - waypoints[0].time_ns
        if behind > LATE_TOLERANCE_NS:
            raise Refused("late", f"the first waypoint was due {behind / 1e6:.1f} ms ago; send them ahead of time")
        closed, opened = self._spec.gripper_range
        for index, waypoint in enumerate(waypoints):
            if not closed - _POSITION_SLACK <= waypoint.gripper_width <= opened + _POSITION_SLACK:
                raise Refused(
                    "out-of-limits",
                    f"waypoint {index} asks for a gripper width of {waypoint.gripper_width:.4f} m; "
                    f"it goes from {closed:.4f} to {opened:.4f}",
                )

    def _check_places(self, positions: Vector) -> None:
        """Refuse joints (m, n) that are outside their limits or put the tool outside its box."""
        spec = self._spec
        outside = (positions < self._lower) | (positions > self._upper)
        if outside.any():
            index, joint = np.argwhere(outside)[0]
            raise Refused(
                "out-of-limits",
                f"waypoint {index} puts {spec.joint_names[joint]} at {positions[index, joint]:.4f} rad; "
                f"it goes from {spec.lower[joint]:.4f} to {spec.upper[joint]:.4f}",
            )
        for index, joints in enumerate(positions):
            tool = self._kinematics.position(joints)
            if (tool < self._box_lower - _POSITION_SLACK).any() or (tool > self._box_upper + _POSITION_SLACK).any():
                raise Refused(
                    "out-of-workspace",
                    f"waypoint {index} puts the tool at ({tool[0]:.3f}, {tool[1]:.3f}, {tool[2]:.3f}) m; the workspace "
                    f"is {tuple(self._box_lower.tolist())} to {tuple(self._box_upper.tolist())}",
                )
        # Only the last waypoint, where the arm would come to rest: one collision check takes as long as all other
        # checks, and the governor checks the way there.
        if touches := self._governor.touching(positions[-1]):
            raise Refused("touches", f"at the last waypoint {touches}")

    def _check_speed(
        self, trajectory: Trajectory, waypoints: Sequence[Waypoint], positions: Vector, now_ns: int
    ) -> None:
        """Refuse waypoints that the joints cannot reach from the previous one in the time between."""
        previous_ns, previous = trajectory.join(waypoints[0].time_ns, now_ns)
        for index, (waypoint, joints) in enumerate(zip(waypoints, positions, strict=True)):
            seconds = (waypoint.time_ns - previous_ns) * 1e-9
            excess = np.abs(joints - previous) - self._velocity * seconds
            if (excess > _POSITION_SLACK).any():
                joint = int(excess.argmax())
                raise Refused(
                    "too-fast",
                    f"waypoint {index} asks {self._spec.joint_names[joint]} for "
                    f"{abs(joints[joint] - previous[joint]) / seconds:.2f} rad/s; "
                    f"it is allowed {self._spec.velocity[joint]:.2f}",
                )
            previous_ns, previous = waypoint.time_ns, joints
