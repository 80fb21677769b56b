"""Joint velocities for an input: differential inverse kinematics that slows down near obstacles.

The joint velocities are the least-squares solution for the tool's velocity, damped near singularities and not elsewhere
(Nakamura and Hanafusa, "Inverse kinematic solutions with singularity robustness", 1986), so that near a singularity the
arm slows down instead of swinging its joints. An arm with fewer than six joints cannot reach every tool velocity: its
tool's position has priority, and its orientation follows as far as the remaining joints allow (Nakamura, Hanafusa and
Yoshikawa, "Task-priority based redundancy control", 1987).
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
from robot.teleop.velocity_damper import VelocityDamper

_NEAR_SINGULAR = 0.1
"""A singularity is near where a singular value of the Jacobian (m and rad of the tool per rad of the joints) is below
this. The inverse never exceeds half the reciprocal of this value times the share below."""
_NEAR_SINGULAR_M = 0.04
"""The same for the position alone, of arms with few joints, which are small."""
_MOST_DAMPING = 1.0
_ALONG, _ASIDE, _LEAST_FAITHFUL = 0.95, 0.7, 0.1
"""Cosines of the angle between the requested and the possible velocity, between which the arm slows down to a share."""
_KEPT = 0.8
"""A motion below this share of the request is reported."""
_ORIENTATION_GAIN = 4.0
_ORIENTATION_SLACK = 0.15
"""rad; when the tool is further from the kept orientation, that is given up, so that the tool never snaps back."""
_REACH_GAIN = 6.0
"""1/s; rate of the exponential approach to a target; far from it the speed is constant."""
_THERE_M, _THERE = 2e-4, 2e-3
_POSTURE_GAIN = 0.5
_POSTURE_SPEED = 0.2
_FULL_POSTURE_M_S = 0.05
_TASKS = 6
_ABSURD = 1e3


class VelocityIk:
    """Computes joint velocities of one arm for inputs, within `limits`; it remembers the orientation to keep."""

    def __init__(self, spec: ArmSpec, limits: Limits) -> None:
        self._limits = limits
        self._kinematics = Kinematics(spec)
        self._damper = VelocityDamper(spec, self._kinematics)
        self._fastest = limits.joints * np.asarray(spec.velocity)
        self._all_of_it = np.asarray(spec.velocity)
        self._rotation: NDArray[np.float64] | None = None

    def position(self, joints: Vector) -> Vector:
        """Return the tool's position (3,) m at `joints` (n,) rad."""
        return self._kinematics.position(joints)

    def begin(self) -> None:
        """Keep from now on the orientation that the tool has at the next call."""
        self._rotation = None

    def velocity(self, joints: Vector, input_: Velocity, seconds: float) -> tuple[Vector, tuple[str, ...]]:
        """Return the joint velocities (n,) rad/s at `joints` (n,) rad that execute `input_` for the next `seconds`, and
        the reasons for slowing down; zero when a number of `input_` is not finite.

        The result is never faster than the limits.
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
        """Return the joint velocities (n,) rad/s at `joints` (n,) rad that move the tool towards the pose of `input_`
        for the next `seconds`, in a straight line with a soft end, and the reasons for slowing down.

        They are zero at the pose, and when a number of `input_` is not finite, and never faster than the limits.
        """
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
        """Return the joint velocities for these velocities of the `tool`, at (3,) m, within limits, and the reasons for
        slowing down."""
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
        """Return the joint velocities (n,) rad/s at `joints` (n,) rad that move in a straight line to `target`, within
        `seconds` where the target's speed and the limits allow, and the reasons for slowing down."""
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
        """Return the angular velocity (3,) rad/s that turns the tool at `yaw` and corrects its drift, by rounding and
        damping, from the kept orientation."""
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
        """Return the joint velocities for the tool's velocity; a redundant arm also moves towards its home posture."""
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
            # In proportion to the tool's motion: an arm whose tool hardly moves must not wander either.
            velocity = velocity + min(1.0, float(np.linalg.norm(linear)) / _FULL_POSTURE_M_S) * pull
        return velocity, reasons


def _at_most(velocity: Vector, fastest: float) -> Vector:
    """Return `velocity` (3,), scaled down to `fastest` when it is faster; its direction stays."""
    slowed: Vector = velocity * min(1.0, fastest / max(float(np.linalg.norm(velocity)), 1e-12))
    return slowed


def _faithful(jacobian: NDArray[np.float64], velocity: Vector, linear: Vector, angular: Vector) -> float:
    """Return the share of `velocity` (n,) to use, by how well it points in the requested direction of the tool.

    At the edge of its reach an arm may only be able to move sideways. The share is never zero, so that the arm can move
    back from there.
    """
    few = jacobian.shape[1] < _TASKS
    asked = linear if few else np.concatenate((linear, angular))
    done = (jacobian[:3] if few else jacobian) @ velocity
    size = float(np.linalg.norm(asked) * np.linalg.norm(done))
    cosine = float(asked @ done) / size if size > 1e-12 else 1.0
    return min(1.0, max(_LEAST_FAITHFUL, (cosine - _ASIDE) / (_ALONG - _ASIDE)))


def _by_priority(jacobian: NDArray[np.float64], linear: Vector, angular: Vector) -> tuple[Vector, bool]:
    """Return the velocities (n,) of fewer than six joints that move the tool at `linear`, and turn it at `angular` as
    far as the remaining freedom allows; and whether a singularity of the linear motion is near."""
    above, below = jacobian[:3], jacobian[3:]
    inverse, near = _inverse(above, _NEAR_SINGULAR_M, 3)
    velocity = inverse @ linear
    free = np.eye(jacobian.shape[1]) - np.linalg.pinv(above) @ above
    inverse, _ = _inverse(below @ free, _NEAR_SINGULAR, jacobian.shape[1] - 3)
    return velocity + free @ (inverse @ (angular - below @ velocity)), near


def _inverse(matrix: NDArray[np.float64], near: float, rank: int) -> tuple[NDArray[np.float64], bool]:
    """Return the pseudo-inverse (n, m) of `matrix` (m, n), of at most `rank`, damped where a singular value is below
    `near`; and whether one is."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    damping = (_MOST_DAMPING * near) ** 2 * np.maximum(0.0, 1.0 - (values / near) ** 2)
    gains = values / np.maximum(values**2 + damping, 1e-12)
    gains[rank:] = 0.0
    return right.T @ (gains[:, None] * left.T), bool((values[:rank] < near).any())
