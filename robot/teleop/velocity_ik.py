"""From a input_ to joint velocities: differential inverse kinematics, slowed near whatever the arm must not run into.

The tool's velocity is solved for by least squares whose damping sets in near a singularity and is nil elsewhere
(Nakamura and Hanafusa, "Inverse kinematic solutions with singularity robustness", 1986), so that near one the arm
slows down in place of swinging its joints. An arm of fewer than six joints cannot have all of it: there the tool's
position comes first, and its orientation as far as the joints that are left allow (Nakamura, Hanafusa and Yoshikawa,
"Task-priority based redundancy control", 1987).
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.arm.rotations import rotation_matrix
from robot.teleop.input import JointTarget, ToolTarget, Velocity
from robot.teleop.speed_limits import Limits
from robot.teleop.velocity_damper import Damper

_NEAR_SINGULAR = 0.1
"""Where a singular value of the Jacobian (m and rad of the tool, a rad of the joints) is below this, a singularity is
near. The inverse is nowhere larger than half the reciprocal of it times the share below."""
_NEAR_SINGULAR_M = 0.04
"""The same of the position alone, of arms of few joints: those are small."""
_MOST_DAMPING = 1.0
_ALONG, _ASIDE, _LEAST_FAITHFUL = 0.95, 0.7, 0.1
"""Between these cosines of the angle between what is asked for and what can be done, the arm slows down to a share."""
_KEPT = 0.8
"""A motion of less than this share of what was asked is told."""
_ORIENTATION_GAIN = 4.0
_ORIENTATION_SLACK = 0.15
"""rad; further behind, the orientation is given up where it was, so that it never snaps back."""
_REACH_GAIN = 6.0
"""1/s; what is reached for is come near to in an exponential, at an even speed from afar."""
_THERE_M, _THERE = 2e-4, 2e-3
_POSTURE_GAIN = 0.5
_POSTURE_SPEED = 0.2
_FULL_POSTURE_M_S = 0.05
_TASKS = 6
_ABSURD = 1e3


class Steering:
    """Turns inputs into joint velocities for one arm within `limits`; remembers which orientation it keeps."""

    def __init__(self, spec: ArmSpec, limits: Limits) -> None:
        self._limits = limits
        self._kinematics = Kinematics(spec)
        self._damper = Damper(spec, self._kinematics)
        self._fastest = limits.joints * np.asarray(spec.velocity)
        self._all_of_it = np.asarray(spec.velocity)
        self._rotation: NDArray[np.float64] | None = None

    def position(self, joints: Vector) -> Vector:
        """Return where the tool is, (3,) m, at `joints` (n,) rad."""
        return self._kinematics.position(joints)

    def begin(self) -> None:
        """Keep from now on the orientation in which the tool is next found."""
        self._rotation = None

    def velocity(self, joints: Vector, input_: Velocity, seconds: float) -> tuple[Vector, tuple[str, ...]]:
        """Return the joints' velocities (n,) rad/s at `joints` (n,) rad that carry `input_` out for the next `seconds`,
        and what slows it down; zero for a input_ with a number that is not finite.

        Never faster than the limits, whatever is wished.
        """
        still = np.zeros(len(joints))
        asked = np.array((*input_.linear, input_.yaw))
        if not np.isfinite(asked).all():
            return still, ("not-finite",)
        asked = np.clip(asked, -_ABSURD, _ABSURD)
        if not asked.any():
            self.begin()
            return still, ()
        pose = self._kinematics.forward(joints)
        linear = _at_most(asked[:3], self._limits.linear)
        yaw = min(max(input_.yaw, -self._limits.yaw), self._limits.yaw)
        return self._carry_out(joints, pose.position, linear, self._angular(pose.rotation, yaw, seconds), yaw)

    def reach(self, joints: Vector, input_: ToolTarget, seconds: float) -> tuple[Vector, tuple[str, ...]]:
        """Return the joints' velocities (n,) rad/s at `joints` (n,) rad that bring the tool nearer to where it is
        wished for the next `seconds`, in a straight line that ends softly, and what slows it down; zero once there, and
        for a input_ with a number that is not finite. Never faster than the limits, whatever is wished."""
        self.begin()
        still = np.zeros(len(joints))
        place = np.array((*input_.position, *input_.orientation, input_.linear, input_.turn))
        size = float(np.linalg.norm(np.clip(input_.orientation, -_ABSURD, _ABSURD)))
        if not (np.isfinite(place).all() and 0.5 < size < _ABSURD and input_.linear >= 0.0 and input_.turn >= 0.0):
            return still, ("not-finite",)
        pose = self._kinematics.forward(joints)
        x, y, z, w = (each / size for each in input_.orientation)
        way = np.clip(place[:3], -_ABSURD, _ABSURD) - pose.position
        turn = np.asarray(pin.log3(rotation_matrix((x, y, z, w)) @ pose.rotation.T))
        if np.linalg.norm(way) < _THERE_M and np.linalg.norm(turn) < _THERE:
            return still, ()
        gain = min(_REACH_GAIN, 1.0 / seconds)
        linear = _at_most(gain * way, min(input_.linear, self._limits.linear))
        angular = _at_most(gain * turn, min(input_.turn, self._limits.yaw))
        return self._carry_out(joints, pose.position, linear, angular, float(angular[2]))

    def _carry_out(
        self, joints: Vector, tool: Vector, linear: Vector, angular: Vector, yaw: float
    ) -> tuple[Vector, tuple[str, ...]]:
        """Return the joints' velocities that move the `tool`, at (3,) m, so, within limits, and what slows it down."""
        linear, reasons = self._damper.slide(tool, linear)
        velocity, more = self._solve(joints, linear, angular, yaw)
        reasons += more
        share = float((np.abs(velocity) / self._fastest).max())
        if share > 1.0:
            velocity = velocity / share
            reasons += ("joint speed",)
        velocity, more = self._damper.damp(joints, velocity)
        return velocity, tuple(dict.fromkeys(reasons + more))

    def towards(self, joints: Vector, target: JointTarget, seconds: float) -> tuple[Vector, tuple[str, ...]]:
        """Return the joints' velocities (n,) rad/s at `joints` (n,) rad that go in a straight line to `target`, there
        within `seconds` where the target's speed and the limits allow, and what slows it down."""
        self.begin()
        goal = np.asarray(target.joints, dtype=np.float64)
        if not (np.isfinite(goal).all() and goal.shape == joints.shape and 0.0 <= target.speed < np.inf):
            return np.zeros(len(joints)), ("not-finite",)
        inside = np.minimum(np.maximum(goal, self._damper.lower), self._damper.upper)
        velocity = (inside - joints) / seconds
        reasons = () if np.array_equal(inside, goal) else ("joint limits",)
        fastest = min(target.speed, self._limits.joints) * self._all_of_it
        share = float((np.abs(velocity) / np.maximum(fastest, 1e-12)).max())
        if share > 1.0:
            velocity = velocity / share
        velocity, more = self._damper.damp(joints, velocity)
        return velocity, reasons + more

    def _angular(self, rotation: NDArray[np.float64], yaw: float, seconds: float) -> Vector:
        """Return the angular velocity (3,) rad/s that turns the tool with `yaw` and brings it back to the orientation
        that is kept, from which rounding and damping have carried it."""
        kept = rotation if self._rotation is None else self._rotation
        error = np.asarray(pin.log3(kept @ rotation.T))
        behind = float(np.linalg.norm(error))
        if behind > _ORIENTATION_SLACK:
            error = error * (_ORIENTATION_SLACK / behind)
            kept = pin.exp3(error) @ rotation
        turn = np.array([0.0, 0.0, yaw])
        self._rotation = pin.exp3(seconds * turn) @ kept
        return _at_most(turn + _ORIENTATION_GAIN * error, self._limits.yaw)

    def _solve(self, joints: Vector, linear: Vector, angular: Vector, yaw: float) -> tuple[Vector, tuple[str, ...]]:
        """Return the joints' velocities for the tool's: and lean towards home where a joint is to spare."""
        jacobian = self._kinematics.jacobian(joints)
        if len(joints) < _TASKS:
            velocity, near = _by_priority(jacobian, linear, angular)
        else:
            inverse, near = _inverse(jacobian, _NEAR_SINGULAR, _TASKS)
            velocity = inverse @ np.concatenate((linear, angular))
        velocity = velocity * _faithful(jacobian, velocity, linear, angular)
        moved, turned = jacobian[:3] @ velocity, float(jacobian[5] @ velocity)
        slow = float(moved @ linear) < _KEPT * float(linear @ linear) or turned * yaw < _KEPT * angular[2] * yaw
        reasons = () if not slow else ("singularity",) if near else ("too few joints",)
        if len(joints) > _TASKS:
            free = np.eye(len(joints)) - np.linalg.pinv(jacobian) @ jacobian
            pull = free @ (_POSTURE_GAIN * (self._kinematics.home - joints))
            pull *= min(1.0, _POSTURE_SPEED / max(float(np.abs(pull).max()), 1e-12))
            # In step with the tool: an arm whose tool is hardly moved shall not wander either.
            velocity = velocity + min(1.0, float(np.linalg.norm(linear)) / _FULL_POSTURE_M_S) * pull
        return velocity, reasons


def _at_most(velocity: Vector, fastest: float) -> Vector:
    """Return `velocity` (3,), slowed to `fastest` where it is faster; its direction stays."""
    slowed: Vector = velocity * min(1.0, fastest / max(float(np.linalg.norm(velocity)), 1e-12))
    return slowed


def _faithful(jacobian: NDArray[np.float64], velocity: Vector, linear: Vector, angular: Vector) -> float:
    """Return how much of `velocity` (n,) to use, by how nearly it goes where the tool was asked to: what an arm can do
    at the edge of its reach may lead aside. Never nothing, or there would be no way back from there."""
    few = jacobian.shape[1] < _TASKS
    asked = linear if few else np.concatenate((linear, angular))
    done = (jacobian[:3] if few else jacobian) @ velocity
    size = float(np.linalg.norm(asked) * np.linalg.norm(done))
    cosine = float(asked @ done) / size if size > 1e-12 else 1.0
    return min(1.0, max(_LEAST_FAITHFUL, (cosine - _ASIDE) / (_ALONG - _ASIDE)))


def _by_priority(jacobian: NDArray[np.float64], linear: Vector, angular: Vector) -> tuple[Vector, bool]:
    """Return the velocities (n,) of fewer than six joints that move the tool with `linear`, and turn it with `angular`
    as far as that leaves them free; and whether a singularity is near for the first."""
    above, below = jacobian[:3], jacobian[3:]
    inverse, near = _inverse(above, _NEAR_SINGULAR_M, 3)
    velocity = inverse @ linear
    free = np.eye(jacobian.shape[1]) - np.linalg.pinv(above) @ above
    inverse, _ = _inverse(below @ free, _NEAR_SINGULAR, jacobian.shape[1] - 3)
    return velocity + free @ (inverse @ (angular - below @ velocity)), near


def _inverse(matrix: NDArray[np.float64], near: float, rank: int) -> tuple[NDArray[np.float64], bool]:
    """Return the inverse (n, m) of `matrix` (m, n), of `rank` at best, damped where a singular value is below `near`,
    and whether it is."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    damping = (_MOST_DAMPING * near) ** 2 * np.maximum(0.0, 1.0 - (values / near) ** 2)
    gains = values / np.maximum(values**2 + damping, 1e-12)
    gains[rank:] = 0.0
    return right.T @ (gains[:, None] * left.T), bool((values[:rank] < near).any())
