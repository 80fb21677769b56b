"""Actions that displace the joints, carried out as timed waypoints along a straight line in joint space."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment import gripper_action
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.blocks import Blocks, require_block
from robot.embodiment.proprioception import joint_state_names
from robot.embodiment.sample_series import SampleSeries
from robot.embodiment.start_path import GRIPPER_TOLERANCE_M, SPEED
from robot.embodiment.tool_displacement import TOOL_DOWN
from robot.errors import ConfigurationError
from robot.motion.tool_path import LEAST_S, SPACING_S
from robot.system.text import escape_fields
from robot.wire.messages import Waypoint

SCALE_RAD = 0.1
SPEED_SHARE = 0.5
"""The most that an action may move a joint, as a share of what the lowest velocity limit allows in a block. The rest is
left to the governor's acceleration and jerk limits."""
BLOCK_S = 1 / 5
WAYPOINTS = 6
MARGIN_RAD = 0.02
"""Distance of the convention's limits from the arm's own, so that the governor does not clamp at them."""
TOLERANCE_RAD = 0.01
"""How far outside the convention's limits a joint may be when the first block begins."""
RECORDED_TOLERANCE_RAD = 0.05
"""How far outside the convention's limits a recorded joint may be."""
ENTRY_RAD_S = 0.2


@dataclass(frozen=True)
class JointTarget:
    """A set-point of the joints: `positions` (n,) rad, with the gripper open by `gripper_width` m."""

    positions: Vector
    gripper_width: float = 0.0


class JointDisplacement(Blocks, msgspec.Struct, frozen=True, tag_field="kind", tag="joint-displacement"):
    """Actions with one entry in [−1, 1] for each of `joints`, carried out within `block_s` seconds.

    An entry moves its joint's set-point by `scale_rad` × entry, between `lower` and `upper` (n,) rad; the numbers of a
    prismatic joint are in m. With `opening_m`, a last entry opens the gripper to that width when positive, closes it
    when negative, and keeps the commanded width when zero; without, the gripper stays open by `gripper_width` m. One
    block is sent as its start and `waypoints` joint waypoints.
    """

    joints: tuple[str, ...]
    scale_rad: float
    block_s: float
    waypoints: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    opening_m: float | None = None
    gripper_width: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ValueError` unless every joint has a lower and an upper limit, and for a block of impossible length or
        too many waypoints."""
        require_block(self.block_s, self.waypoints)
        escape_fields(self, ("joints",))
        if not len(self.joints) == len(self.lower) == len(self.upper):
            raise ValueError(
                f"{len(self.joints)} joints have {len(self.lower)} lower and {len(self.upper)} upper limits"
            )

    @classmethod
    def of(cls, arm: ArmSpec) -> JointDisplacement:
        """Return the convention for all joints of `arm` and for its gripper, where it has one that opens."""
        opening = arm.gripper_range[1] if arm.gripper_range[1] > arm.gripper_range[0] else None
        return cls(
            joints=arm.joint_names,
            scale_rad=min(SCALE_RAD, SPEED_SHARE * min(arm.velocity) * BLOCK_S),
            block_s=BLOCK_S,
            waypoints=WAYPOINTS,
            lower=tuple(limit + MARGIN_RAD for limit in arm.lower),
            upper=tuple(limit - MARGIN_RAD for limit in arm.upper),
            opening_m=opening,
            gripper_width=arm.gripper_range[0],
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each entry of an action."""
        return self.joints if self.opening_m is None else (*self.joints, gripper_action.NAME)

    @property
    def size(self) -> int:
        """Length of an action."""
        return len(self.names)

    @property
    def binary(self) -> tuple[int, ...]:
        """The gripper's entry, of which only the sign counts."""
        return () if self.opening_m is None else (len(self.joints),)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The entries of the state in data sets that are recorded for this convention."""
        return joint_state_names(len(self.joints), grips=self.opening_m is not None)

    def mirror_signs(self) -> tuple[float, ...]:
        """Raise `ConfigurationError`: which joints a mirror image reverses depends on the arm."""
        raise ConfigurationError(
            "joint displacements cannot be mirrored: which joints a mirror image reverses depends on the arm; train "
            "without mirror images"
        )

    def yaw(self, rotation: NDArray[np.float64]) -> float:
        """Return the angle (rad) about the vertical from a tool that points down to `rotation` (3, 3)."""
        return float(pin.log3(rotation @ np.asarray(TOOL_DOWN).T)[2])

    # ---------------------------------------------------------------- set-points

    def target(self, tool: JointTarget, action: Vector, /) -> JointTarget:
        """Return the set-point to which `action` (size,) moves `tool`, between the limits."""
        moves = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        count = len(self.joints)
        width = self.gripper_width
        if self.opening_m is not None:
            width = gripper_action.commanded_width(tool.gripper_width, float(moves[count]), self.opening_m)
        return JointTarget(np.clip(tool.positions + self.scale_rad * moves[:count], self.lower, self.upper), width)

    def set_point(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> JointTarget:
        """Return the set-point between the limits that is nearest to `joints` (n,) rad.

        Raises `ConfigurationError` for an arm with another number of joints.
        """
        if len(joints) != len(self.joints):
            raise ConfigurationError(
                f"these actions move {len(self.joints)} joints, and the arm has {len(joints)}: use a model of this arm"
            )
        return self.target(JointTarget(np.asarray(joints, dtype=np.float64), gripper_width), np.zeros(self.size))

    # ---------------------------------------------------------------- carried out

    def block(
        self, kinematics: Kinematics, start: JointTarget, end: JointTarget, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from `start` to `end`: the first at `start_ns` itself, then
        `waypoints` more until the block's end. The gripper moves from the first on. `seed` (n,) rad are the joints at
        `start`."""
        begin = Waypoint(start_ns, tuple(seed.tolist()), start.gripper_width)
        return begin, *_straight(seed, end.positions, end.gripper_width, start_ns, self.block_s, self.waypoints)

    def ready(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> bool:
        """Return whether `joints` (n,) rad and the gripper, `gripper_width` m wide, are close enough to a set-point."""
        nearest = self.set_point(kinematics, joints, gripper_width)
        return (
            float(np.abs(nearest.positions - joints).max()) <= TOLERANCE_RAD
            and abs(gripper_width - nearest.gripper_width) <= GRIPPER_TOLERANCE_M
        )

    def entry(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> tuple[Waypoint, ...]:
        """Return waypoints, timed from 0, that move the joints straight to the nearest set-point."""
        nearest = self.set_point(kinematics, joints, gripper_width)
        turn_rad = float(np.abs(nearest.positions - joints).max())
        grip_m = abs(nearest.gripper_width - gripper_width)
        seconds = max(turn_rad / ENTRY_RAD_S, grip_m / SPEED.gripper_m_s, LEAST_S)
        return _straight(joints, nearest.positions, nearest.gripper_width, 0, seconds, round(seconds / SPACING_S))

    # ---------------------------------------------------------------- read off recordings

    def describes(self, sample: ArmSample) -> bool:
        """Return whether the governed joints are between the limits, and a gripper that actions do not move has the
        convention's width."""
        outside = np.abs(np.clip(sample.governed, self.lower, self.upper) - sample.governed)
        width_error_m = abs(sample.gripper_command - self.gripper_width)
        return bool(
            outside.max() <= RECORDED_TOLERANCE_RAD
            and (self.opening_m is not None or width_error_m <= gripper_action.WIDTH_TOLERANCE_M)
        )

    def actions_between(self, series: SampleSeries, times: Vector) -> NDArray[np.float64]:
        """Return the actions (T − 1, size) that moved the set-point from each of the `times` (T,) s to the next."""
        entries = [
            np.diff(series.at(times, f"setpoint.joint.{number}")) / self.scale_rad
            for number in range(1, len(self.joints) + 1)
        ]
        if self.opening_m is not None:
            entries.append(gripper_action.gripper_actions(series.at(times, gripper_action.COMMAND), self.opening_m))
        return np.stack(entries, axis=1)


def _straight(
    start: Vector, end: Vector, width: float, start_ns: int, seconds: float, count: int
) -> tuple[Waypoint, ...]:
    """Return `count` waypoints, evenly spaced in time, after `start` (n,) rad until `end`."""
    return tuple(
        Waypoint(
            start_ns + round(index / count * seconds * 1e9),
            tuple((start + index / count * (end - start)).tolist()),
            width,
        )
        for index in range(1, count + 1)
    )
