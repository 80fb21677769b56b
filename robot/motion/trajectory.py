"""Turns timed waypoints into one set-point per tick, within velocity, acceleration and jerk limits (Ruckig).

The tracker works in a frame that moves along with the reference. In that frame the target stands still, so the
time-optimal trajectory to it catches up with the reference without lag and stays on it without chatter.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import ruckig

from robot.arm.interface import ArmSpec, Vector
from robot.motion.brake import Brake, Motion, MotionState, motion_of, state_of
from robot.motion.waypoint_path import Reference, ReferenceState
from robot.wire.messages import Waypoint

# The clock that paces the reference follows the caller's clock with this gain per tick: unfiltered, the scheduler's
# jitter would demand full acceleration back and forth.
_CLOCK_GAIN = 0.02
_EVEN = 0.01
"""The most by which the reference may go faster or slower than real time at any speed, which evens out the scheduler's
jitter."""
_CATCH_UP = 0.1
"""The most by which it may go faster where the plan is slower than elsewhere: after ticks that came late, the arm
follows its plan later, and catches up without exceeding the plan's own speed."""
_CATCH_UP_RISE = 0.5
"""How much this may change in a second: the arm follows such a change within its acceleration limits."""
# The share of a limit that the moving frame itself may use; the rest is for catching up.
_FRAME_SHARE = 0.9
_VELOCITY_SHARE = 0.995
# In rad, rad/s and rad/s^2: an error below this is closed in one step. It is far below all limits, and smaller than the
# planner can distinguish from zero, which would make the arm creep.
_THERE = np.array([[1e-8], [1e-6], [1e-3]])
_RAMP_FROM = 0.1
"""The share of the velocity limits at which a start-up ramp begins."""


class TrajectoryState(msgspec.Struct, frozen=True):
    """The complete state of a trajectory between two ticks."""

    reference: ReferenceState
    motion: MotionState
    gripper_width: float
    clock_ns: float | None
    ramp_s: float
    ramped_s: float
    brake_start: MotionState | None
    brake_time: float
    behind_ns: int = 0
    catch_up: float = 0.0


class Trajectory:
    """The arm's planned motion. It starts at rest at `position` (n,) rad with the gripper `gripper_width` m wide.
    During the first `ramp_s` seconds the velocity limits rise linearly to their full values."""

    def __init__(self, spec: ArmSpec, position: Vector, gripper_width: float, ramp_s: float = 0.0) -> None:
        self._period = 1.0 / spec.rate_hz
        self._ramp_s = ramp_s
        self._ramped_s = 0.0
        self._velocity = _VELOCITY_SHARE * np.asarray(spec.velocity)
        self._acceleration = np.asarray(spec.acceleration)
        self._gripper_speed = spec.gripper_speed
        self._planner = ruckig.Ruckig(spec.dof)
        self._plan = ruckig.Trajectory(spec.dof)
        request = ruckig.InputParameter(spec.dof)
        request.synchronization = ruckig.Synchronization.No
        request.max_jerk = list(spec.jerk)
        request.target_position = [0.0] * spec.dof
        request.target_velocity = [0.0] * spec.dof
        request.target_acceleration = [0.0] * spec.dof
        self._request = request
        self._brake = Brake(spec)
        self._braking = False
        self._brake_time = 0.0
        self._clock_ns: float | None = None
        self._behind_ns = 0
        self._catch_up = 0.0
        self._reference = Reference(np.append(position, gripper_width), self._velocity)
        self.motion: Motion = np.zeros((3, spec.dof))
        self.motion[0] = position
        self.gripper_width = gripper_width

    @property
    def active_until_ns(self) -> int:
        """Time of the last waypoint, 0 when there is none."""
        return self._reference.last_ns

    def state(self) -> TrajectoryState:
        """Return the state from which `restore` continues."""
        return TrajectoryState(
            reference=self._reference.state(),
            motion=state_of(self.motion),
            gripper_width=self.gripper_width,
            clock_ns=self._clock_ns,
            ramp_s=self._ramp_s,
            ramped_s=self._ramped_s,
            brake_start=state_of(self._brake.start) if self._braking else None,
            brake_time=self._brake_time,
            behind_ns=self._behind_ns,
            catch_up=self._catch_up,
        )

    def restore(self, state: TrajectoryState) -> None:
        """Continue from `state`, which another trajectory of the same arm returned."""
        self._reference.restore(state.reference)
        self.motion = motion_of(state.motion)
        self.gripper_width = state.gripper_width
        self._clock_ns = state.clock_ns
        self._behind_ns, self._catch_up = state.behind_ns, state.catch_up
        self._ramp_s, self._ramped_s = state.ramp_s, state.ramped_s
        self._braking = state.brake_start is not None
        self._brake_time = state.brake_time
        if state.brake_start is not None:
            self._brake.plan(motion_of(state.brake_start))

    @property
    def behind_ns(self) -> int:
        """How far the plan is behind the clock, after ticks that came late or not at all."""
        return self._behind_ns

    def join(self, first_ns: int, now_ns: int) -> tuple[int, Vector]:
        """Return the time (ns) and the joints (n,) rad from which a waypoint at `first_ns` will be approached."""
        if self._braking:
            return now_ns, self.motion[0]
        time_ns, point = self._reference.join(first_ns, now_ns)
        return time_ns, point[:-1]

    def follow(self, waypoints: Sequence[Waypoint], now_ns: int) -> None:
        """Replace every waypoint not earlier than the first of `waypoints`, which must be later than `now_ns`."""
        if self._braking:
            self._braking = False
            self._reference.rest_at(np.append(self.motion[0], self.gripper_width))
        self._reference.replace(waypoints, now_ns, now_ns - self._behind_ns)

    def stop(self) -> None:
        """Drop all waypoints and come to rest as quickly as the limits allow."""
        self._reference.rest_at(np.append(self.motion[0], self.gripper_width))
        self._start_braking()

    def resume(self, motion: Motion) -> None:
        """Continue from `motion` (3, n), which was commanded in place of the requested motion."""
        self.motion = motion
        if self._braking:
            self._start_braking()

    def settled(self) -> bool:
        """Return whether the arm is at rest and has no waypoint left to reach."""
        if self.motion[1:].any():
            return False
        return self._braking or bool(
            self._clock_ns is not None
            and self._clock_ns >= self._reference.last_ns
            and np.abs(self.motion[0] - self._reference.at(self._clock_ns)[0, :-1]).max() < 1e-9
        )

    def advance(self, now_ns: int) -> Motion:
        """Advance by one period; return the motion (3, n) for the time `now_ns` plus that period."""
        clock_ns = self._tick_clock(now_ns)
        self._ramped_s = min(self._ramp_s, self._ramped_s + self._period)
        if self._braking:
            self._brake_time += self._period
            self.motion = self._brake.at(self._brake_time)
            return self.motion
        reference = self._reference.at(clock_ns)
        self._move_gripper(reference[0, -1])
        joints = reference[:, :-1]
        if self._catch_up:
            pace = 1.0 + self._catch_up
            joints = joints * np.array([[1.0], [pace], [pace * pace]])
        self.motion = self._track(joints)
        return self.motion

    def _track(self, reference: Motion) -> Motion:
        """Return the motion one step towards the reference (3, n), which holds for the end of the step."""
        period = self._period
        limit = _FRAME_SHARE * self._acceleration
        frame_acceleration = np.minimum(np.maximum(reference[2], -limit), limit)
        velocity = self._velocity
        if self._ramped_s < self._ramp_s:
            velocity = velocity * (_RAMP_FROM + (1.0 - _RAMP_FROM) * self._ramped_s / self._ramp_s)
        limit = _FRAME_SHARE * velocity
        frame_velocity = np.minimum(np.maximum(reference[1], -limit), limit)
        frame = np.array((reference[0], frame_velocity, frame_acceleration))
        earlier = frame.copy()
        earlier[1] -= period * frame_acceleration
        earlier[0] -= period * (frame_velocity - (0.5 * period) * frame_acceleration)
        error = self.motion - earlier
        if (np.abs(error) < _THERE).all():
            return frame
        request = self._request
        request.current_position, request.current_velocity, request.current_acceleration = error.tolist()
        fastest = np.maximum(earlier[1], frame_velocity)
        slowest = np.minimum(earlier[1], frame_velocity)
        request.max_velocity = (velocity - fastest).tolist()
        request.min_velocity = (-velocity - slowest).tolist()
        request.max_acceleration = (self._acceleration - frame_acceleration).tolist()
        request.min_acceleration = (-self._acceleration - frame_acceleration).tolist()
        try:
            self._planner.calculate(request, self._plan)
        except ruckig.RuckigError:
            # The planner finds no trajectory from here (rare, and a matter of rounding): slow down for one step.
            self._brake.plan(self.motion)
            return self._brake.at(period)
        step: Motion = frame + np.array(self._plan.at_time(period))
        return step

    def _start_braking(self) -> None:
        self._brake.plan(self.motion)
        self._brake_time = 0.0
        self._braking = True

    def _move_gripper(self, target: float) -> None:
        step = self._gripper_speed * self._period
        self.gripper_width = float(min(max(target, self.gripper_width - step), self.gripper_width + step))

    def _tick_clock(self, now_ns: int) -> float:
        """Return the time (ns) at the end of this period, on a clock that advances evenly."""
        period_ns = self._period * 1e9
        target = now_ns + period_ns
        if self._clock_ns is None or self._rests_until(target):
            self._clock_ns, self._catch_up = target, 0.0
        else:
            even = self._clock_ns + period_ns
            wanted = max(-_EVEN, _CLOCK_GAIN * (target - even) / period_ns)
            self._change_catch_up(wanted, even)
            self._clock_ns = even + period_ns * min(wanted, max(_EVEN, self._catch_up))
        self._behind_ns = max(0, round(target - self._clock_ns))
        return self._clock_ns

    def _change_catch_up(self, wanted: float, time_ns: float) -> None:
        """Change the catch-up, by which the reference goes faster than real time at `time_ns`, towards `wanted`."""
        if wanted <= _EVEN and self._catch_up == 0.0:
            return
        step = _CATCH_UP_RISE * self._period
        ahead_ns = 1e9 * _CATCH_UP / _CATCH_UP_RISE
        goal = max(0.0, min(wanted, _CATCH_UP, self._reference.headroom(time_ns, time_ns + ahead_ns) - 1.0))
        change = min(max(goal - self._catch_up, -step), step)
        self._catch_up = min(self._catch_up + change, self._reference.headroom(time_ns, time_ns) - 1.0)

    def _rests_until(self, target_ns: float) -> bool:
        """Return whether the reference stands still from the present time of the clock until `target_ns`."""
        assert self._clock_ns is not None
        return self._braking or self._reference.rests(self._clock_ns, target_ns)
