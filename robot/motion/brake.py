"""The quickest stop within acceleration and jerk limits, for each joint independently.

A motion, here and in the governor, is an array (3, n) with the rows position, velocity and acceleration.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import ruckig
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec

Motion: TypeAlias = NDArray[np.float64]


MotionState: TypeAlias = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""A motion as tuples, for the flight log."""


def state_of(motion: Motion) -> MotionState:
    """Return `motion` (3, n) as tuples."""
    position, velocity, acceleration = map(tuple, motion.tolist())
    return position, velocity, acceleration


def motion_of(state: MotionState) -> Motion:
    """Return the motion (3, n) that `state` holds."""
    return np.array(state)


class Brake:
    """One stop, planned from one motion; planning again replaces it."""

    def __init__(self, spec: ArmSpec) -> None:
        self._planner = ruckig.Ruckig(spec.dof)
        self._trajectory = ruckig.Trajectory(spec.dof)
        request = ruckig.InputParameter(spec.dof)
        request.control_interface = ruckig.ControlInterface.Velocity
        request.synchronization = ruckig.Synchronization.No
        request.max_velocity = list(spec.velocity)
        request.max_acceleration = list(spec.acceleration)
        request.max_jerk = list(spec.jerk)
        request.target_velocity = [0.0] * spec.dof
        request.target_acceleration = [0.0] * spec.dof
        self._request = request
        self._start = [[0.0] * spec.dof] * 3

    @property
    def duration(self) -> float:
        """Seconds until the last joint is at rest."""
        return float(self._trajectory.duration)

    def plan(self, motion: Motion) -> bool:
        """Plan the stop from the finite `motion` (3, n); return whether there is one."""
        request = self._request
        start = motion.tolist()
        request.current_position, request.current_velocity, request.current_acceleration = start
        self._start = start
        try:
            self._planner.calculate(request, self._trajectory)
        except ruckig.RuckigError:
            return False
        return True

    @property
    def start(self) -> Motion:
        """The motion (3, n) from which the stop was planned."""
        return np.array(self._start)

    def at(self, time: float) -> Motion:
        """Return the motion (3, n) at `time` s after the start; at rest from `duration` on."""
        if time >= self._trajectory.duration:
            motion = np.array(self._trajectory.at_time(self._trajectory.duration))
            motion[1:] = 0.0
            return motion
        return np.array(self._trajectory.at_time(time))

    def extent(self) -> tuple[list[float], list[float]]:
        """Return bounds on the positions during the stop: the least and the greatest per joint, (n,) rad each.

        They are the positions at its two ends, unless the acceleration already exceeds what the stop needs. Then the
        joint reverses once, within the time that the acceleration takes to fade, and the bounds cover that.
        """
        ends = self._trajectory.at_time(self._trajectory.duration)[0]
        lower, upper = [], []
        for start, velocity, acceleration, end, jerk in zip(*self._start, ends, self._request.max_jerk, strict=True):
            low, high = (start, end) if start < end else (end, start)
            fading = abs(acceleration) / jerk
            if velocity * (velocity + 0.5 * acceleration * fading) < 0.0:
                turn = start + velocity * fading
                low, high = min(low, turn), max(high, turn)
            lower.append(low)
            upper.append(high)
        return lower, upper
