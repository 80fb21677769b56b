"""Forward and inverse kinematics: the tool's pose for given joints, and the joints for a given pose of the tool.

The maths is Pinocchio's: forward kinematics, the geometric Jacobian, and inverse kinematics by damped least squares
over that Jacobian (Wampler 1986), restarted from other postures when the search from the seed fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robot.arm.description_text import require_readable
from robot.arm.interface import ArmSpec, Vector
from robot.errors import ConfigurationError, UnreachableError

POSITION_TOLERANCE = 1e-4
ROTATION_TOLERANCE = 1e-3
# The solver converges well inside the promised tolerance, so that a chain of solutions does not drift.
_STOP_POSITION = 1e-5
_STOP_ROTATION = 1e-4
_ITERATIONS = 60
_STALLED_AFTER = 20
_STEP_LIMIT = 0.5
_DAMPING = 1e-3
_LIMIT_MARGIN = 1e-3


@dataclass(frozen=True)
class Pose:
    """A pose in the arm's base frame: `position` (3,) m, `rotation` (3, 3) whose columns are the frame's axes."""

    position: Vector
    rotation: NDArray[np.float64]


class ArmDescription(Protocol):
    """What forward kinematics needs of an arm; `ArmSpec` says what each is."""

    @property
    def name(self) -> str:
        """The arm's name."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The names of its joints (n,), in order."""

    @property
    def urdf(self) -> str:
        """The XML text of its robot description (URDF)."""

    @property
    def tool_frame(self) -> str:
        """The name of the frame of its tool."""


class ForwardKinematics:
    """Forward kinematics of one arm's tool frame. It holds scratch memory: use one instance per thread.

    Joints of the description that `arm.joint_names` does not name, such as fingers, stay at zero. Raises
    `ConfigurationError` when the description cannot be read or lacks a joint or the tool frame.
    """

    def __init__(self, arm: ArmDescription) -> None:
        model = _model(arm)
        self._model = model
        self._data = model.createData()
        self._frame = model.getFrameId(arm.tool_frame)
        # Pinocchio orders joints along the tree; `_order[i]` is where joint i of the specification is in it.
        self._order = np.array([model.joints[model.getJointId(name)].idx_q for name in arm.joint_names])
        self._in_order = bool(np.all(self._order == np.arange(len(arm.joint_names))))
        self._inverse_order = np.argsort(self._order)
        self._tool = self._data.oMf[self._frame]

    def forward(self, joints: Vector) -> Pose:
        """Return the tool's pose for `joints` (n,) rad."""
        self._place(joints)
        return Pose(self._tool.translation.copy(), self._tool.rotation.copy())

    def position(self, joints: Vector) -> Vector:
        """Return the tool's position (3,) m for `joints` (n,) rad."""
        self._place(joints)
        return self._tool.translation.copy()

    @property
    def model(self) -> pin.Model:
        """Pinocchio's model of the arm; its joints are those of the specification, in the order of the kinematic
        tree."""
        return self._model

    def configuration(self, joints: Vector) -> Vector:
        """Return `joints` (n,) rad in the order of the model's joints."""
        return joints if self._in_order else joints[self._inverse_order]

    def _place(self, joints: Vector) -> None:
        configuration = joints if self._in_order else joints[self._inverse_order]
        pin.framesForwardKinematics(self._model, self._data, configuration)


class Kinematics(ForwardKinematics):
    """Forward and inverse kinematics of one arm's tool frame, with the same memory and errors."""

    def __init__(self, spec: ArmSpec) -> None:
        super().__init__(spec)
        self._lower = np.asarray(spec.lower) + _LIMIT_MARGIN
        self._upper = np.asarray(spec.upper) - _LIMIT_MARGIN
        self.home = np.asarray(spec.home, dtype=np.float64)
        self._damping = _DAMPING**2 * np.eye(6)
        self._error = np.empty(6)

    def jacobian(self, joints: Vector) -> NDArray[np.float64]:
        """Return the (6, n) Jacobian at `joints` (n,) rad: the tool's linear velocity (m/s, rows 0 to 2) and angular
        velocity (rad/s, rows 3 to 5), in the axes of the base frame, per rad/s of each joint."""
        configuration = self.configuration(joints)
        jacobian = pin.computeFrameJacobian(
            self._model, self._data, configuration, self._frame, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        )
        return jacobian if self._in_order else jacobian[:, self._order]

    def reach_bounds(self) -> Vector:
        """Return the largest distance of the tool from each joint's axis over all postures: (n,) m.

        Turning joint i by x moves the tool by at most x times this bound; for a prismatic joint the bound is 1.
        """
        return self.reach_of(self._frame, 0.0)

    def reach_of(self, frame: int, beyond: float) -> Vector:
        """Return the bounds of `reach_bounds` (n,) m for a point up to `beyond` m from the origin of the model's frame
        number `frame`; 0 for a joint that does not move that frame."""
        bounds = np.empty(len(self._order))
        for name_index, in_model in enumerate(self._order):
            joint = int(in_model) + 1
            reach = beyond + float(np.linalg.norm(self._model.frames[frame].placement.translation))
            link = self._model.frames[frame].parentJoint
            while link > 0 and link != joint:
                reach += float(np.linalg.norm(self._model.jointPlacements[link].translation))
                if self._slides(link):
                    index = self._model.joints[link].idx_q
                    reach += max(
                        abs(float(self._model.lowerPositionLimit[index])),
                        abs(float(self._model.upperPositionLimit[index])),
                    )
                link = self._model.parents[link]
            bounds[name_index] = 0.0 if link == 0 else 1.0 if self._slides(joint) else reach
        return bounds

    def _slides(self, joint: int) -> bool:
        return bool(self._model.joints[joint].shortname().startswith("JointModelP"))

    def inverse(self, target: Pose, seed: Vector, restarts: int = 32) -> Vector:
        """Return joints (n,) rad, within the limits, that put the tool at `target`.

        The search starts at `seed` (n,) rad and so finds a nearby posture when there is one. If that fails, it starts
        from the arm's home and from `restarts` - 1 further postures, the same ones in each call. With `restarts` 0 it
        searches only from the seed. The answer is within 0.1 mm and 1e-3 rad. Raises `UnreachableError`, with the least
        error found, when no start leads to the target.
        """
        if not (np.isfinite(target.position).all() and np.isfinite(target.rotation).all()):
            raise UnreachableError("the requested pose holds a number that is not finite")
        goal = np.asarray(target.position, dtype=np.float64)
        joints, best = self._descend(goal, target.rotation, seed)
        if _within(best, POSITION_TOLERANCE, ROTATION_TOLERANCE):
            return joints
        if restarts > 0:
            generator = np.random.default_rng(0)
            start = self.home
            for _ in range(restarts):
                joints, miss = self._descend(goal, target.rotation, start)
                if _within(miss, POSITION_TOLERANCE, ROTATION_TOLERANCE):
                    return joints
                best = min(best, miss, key=sum)
                start = generator.uniform(self._lower, self._upper)
        x, y, z = goal
        raise UnreachableError(
            f"no posture within the joint limits puts the tool at ({x:.4f}, {y:.4f}, {z:.4f}) m with the "
            f"requested orientation: the nearest found misses by {best[0] * 1e3:.2f} mm and {best[1]:.4f} rad"
        )

    def _descend(
        self, goal: Vector, rotation: NDArray[np.float64], start: Vector
    ) -> tuple[Vector, tuple[float, float]]:
        """Iterate from `start` towards the goal; return the best joints found and their error (m, rad)."""
        joints = np.clip(start, self._lower, self._upper)
        best_joints, best, best_at = joints, (np.inf, np.inf), 0
        error = self._error
        for iteration in range(_ITERATIONS):
            jacobian = self.jacobian(joints)
            # computeFrameJacobian leaves the tool's own placement stale; this updates the one frame alone.
            placement = pin.updateFramePlacement(self._model, self._data, self._frame)
            error[:3] = goal - placement.translation
            error[3:] = pin.log3(rotation @ placement.rotation.T)
            squared = error * error
            miss = (float(squared[:3].sum()) ** 0.5, float(squared[3:].sum()) ** 0.5)
            if miss[0] + miss[1] < 0.99 * (best[0] + best[1]):
                best_joints, best, best_at = joints, miss, iteration
            if miss[0] <= _STOP_POSITION and miss[1] <= _STOP_ROTATION:
                return joints, miss
            if iteration - best_at >= _STALLED_AFTER:
                break
            # Damping that grows with the error bounds steps far from the goal and keeps quadratic convergence near it.
            damping = self._damping * (1.0 + 1e3 * (miss[0] + miss[1]) ** 2)
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, error)
            blocked = ((joints <= self._lower) & (step < 0.0)) | ((joints >= self._upper) & (step > 0.0))
            if blocked.any():
                # A joint at its limit cannot contribute: solve again without it instead of clipping its share.
                jacobian = jacobian * ~blocked
                step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, error)
            largest = float(np.abs(step).max())
            if largest > _STEP_LIMIT:
                step *= _STEP_LIMIT / largest
            joints = np.minimum(np.maximum(joints + step, self._lower), self._upper)
        return best_joints, best


def _within(miss: tuple[float, float], position: float, rotation: float) -> bool:
    return miss[0] <= position and miss[1] <= rotation


def _model(arm: ArmDescription) -> pin.Model:
    """Build the model of the robot description with every joint except those in `joint_names` locked at zero."""
    require_readable(arm.name, arm.urdf)
    try:
        whole = pin.buildModelFromXML(arm.urdf)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"the description of the arm {arm.name!r} cannot be read: {error}") from error
    for name in arm.joint_names:
        if not whole.existJointName(name):
            raise ConfigurationError(f"the description of the arm {arm.name!r} has no joint {name!r}")
        if whole.joints[whole.getJointId(name)].nq != 1:
            raise ConfigurationError(
                f"the joint {name!r} of the arm {arm.name!r} turns without limits or about several axes; "
                "only revolute and prismatic joints can be commanded"
            )
    if not whole.existFrame(arm.tool_frame):
        raise ConfigurationError(f"the description of the arm {arm.name!r} has no tool frame {arm.tool_frame!r}")
    locked = [joint for joint in range(1, whole.njoints) if whole.names[joint] not in arm.joint_names]
    return pin.buildReducedModel(whole, locked, pin.neutral(whole))
