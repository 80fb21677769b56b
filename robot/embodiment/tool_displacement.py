"""Actions that displace the tool, carried out as timed joint waypoints along a straight line."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robot.arm.interface import Box, Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.embodiment import gripper_action
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.blocks import Blocks, require_block
from robot.embodiment.proprioception import GRASPING_STATE_NAMES, STATE_NAMES
from robot.embodiment.sample_series import SampleSeries
from robot.embodiment.start_path import GRIPPER_TOLERANCE_M, TOLERANCE_M, TOLERANCE_RAD, path_to_start
from robot.motion.tool_path import straight_waypoints
from robot.system.text import escape_fields
from robot.wire.messages import Waypoint

PLACE = ("x", "y", "z")
YAW = "yaw"
TURNED = ("y", YAW)
"""The entries that reflection in the plane y = 0 reverses."""
TOOL_DOWN = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
# The same, turned so that a camera in front of the arm sees the narrow side of the hand.
TOOL_DOWN_EDGE_ON = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
RECORDED_TOLERANCE_M = 0.02
RECORDED_TOLERANCE_RAD = 0.2
"""How far outside the bounds, and how far turned from the set-point's rotation, a recorded tool may be."""


@dataclass(frozen=True)
class ToolTarget:
    """A set-point of the tool: `position` (3,) m in the base frame, turned by `yaw` rad about the vertical from the
    convention's rotation, with the gripper open by `gripper_width` m."""

    position: Vector
    yaw: float = 0.0
    gripper_width: float = 0.0


class ToolDisplacement(Blocks, msgspec.Struct, frozen=True, tag_field="kind", tag="tool-displacement"):
    """Actions with one entry in [−1, 1] for each of `axes`, carried out within `block_s` seconds.

    "x", "y" and "z" move the tool's set-point by `scale_m` × entry, inside `bounds` (m, base frame). "yaw" turns it by
    `turn_rad` × entry about the vertical, inside `turn_bounds` (rad), from `rotation` (rows of a 3×3 matrix, tool to
    base). "gripper" opens the gripper to `opening_m` when positive, closes it when negative, and keeps the commanded
    width when zero; without this axis the gripper stays open by `gripper_width` m. One block is sent as its start and
    `waypoints` joint waypoints.
    """

    axes: tuple[str, ...]
    scale_m: float
    block_s: float
    waypoints: int
    bounds: Box
    rotation: tuple[tuple[float, float, float], ...] = TOOL_DOWN
    gripper_width: float = 0.0
    turn_rad: float = 0.0
    turn_bounds: tuple[float, float] = (0.0, 0.0)
    opening_m: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for a block of impossible length or too many waypoints, and for unknown axes."""
        escape_fields(self, ("axes",))
        require_block(self.block_s, self.waypoints)
        known = (*PLACE, YAW, gripper_action.NAME)
        if len(set(self.axes)) != len(self.axes) or not set(self.axes) <= set(known):
            raise ValueError(f"the axes must be some of {', '.join(known)}, each once")
        if len(self.rotation) != 3:
            raise ValueError(f"the rotation has {len(self.rotation)} rows instead of 3")

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each entry of an action."""
        return self.axes

    @property
    def size(self) -> int:
        """Length of an action."""
        return len(self.axes)

    @property
    def grips(self) -> bool:
        """Whether actions move the gripper."""
        return gripper_action.NAME in self.axes

    @property
    def binary(self) -> tuple[int, ...]:
        """The gripper's entry, of which only the sign counts."""
        return tuple(index for index, axis in enumerate(self.axes) if axis == gripper_action.NAME)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The entries of the state in data sets that are recorded for this convention."""
        return GRASPING_STATE_NAMES if self.grips else STATE_NAMES

    def mirror_signs(self) -> tuple[float, ...]:
        """Return −1 for the entries that move the tool sideways or turn it, and 1 for all others."""
        return tuple(-1.0 if axis in TURNED else 1.0 for axis in self.axes)

    # ---------------------------------------------------------------- set-points

    def start(self, position: Vector) -> ToolTarget:
        """Return the set-point at `position` (3,) m with yaw 0 and the convention's gripper width."""
        return ToolTarget(np.asarray(position, dtype=np.float64), 0.0, self.gripper_width)

    def target(self, tool: ToolTarget, action: Vector, /) -> ToolTarget:
        """Return the set-point to which `action` (size,) moves `tool`, inside the bounds."""
        moved = np.array(tool.position, dtype=np.float64)
        yaw, width = (tool.yaw if YAW in self.axes else 0.0), tool.gripper_width
        for value, axis in zip(np.clip(action, -1.0, 1.0).tolist(), self.axes, strict=True):
            if axis == YAW:
                yaw += self.turn_rad * value
            elif axis == gripper_action.NAME:
                width = gripper_action.commanded_width(width, value, self.opening_m)
            else:
                moved[PLACE.index(axis)] += self.scale_m * value
        if not self.grips:
            width = self.gripper_width
        return ToolTarget(
            np.clip(moved, self.bounds.lower, self.bounds.upper),
            float(np.clip(yaw, *self.turn_bounds)),
            float(np.clip(width, 0.0, max(self.opening_m, self.gripper_width))),
        )

    def pose(self, tool: ToolTarget) -> Pose:
        """Return the tool's pose at a set-point."""
        turned = pin.exp3(np.array([0.0, 0.0, tool.yaw])) @ np.asarray(self.rotation)
        return Pose(np.asarray(tool.position, dtype=np.float64), turned)

    def at(self, pose: Pose, gripper_width: float) -> ToolTarget:
        """Return the set-point inside the bounds that is nearest to a tool at `pose`."""
        return self.target(ToolTarget(pose.position, self.yaw(pose.rotation), gripper_width), np.zeros(self.size))

    def set_point(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> ToolTarget:
        """Return the set-point inside the bounds that is nearest to an arm at `joints` (n,) rad."""
        return self.at(kinematics.forward(joints), gripper_width)

    def yaw(self, rotation: NDArray[np.float64]) -> float:
        """Return the angle (rad) about the vertical from the convention's rotation to `rotation` (3, 3)."""
        return float(pin.log3(rotation @ np.asarray(self.rotation).T)[2])

    # ---------------------------------------------------------------- carried out

    def block(
        self, kinematics: Kinematics, start: ToolTarget, end: ToolTarget, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from set-point `start` to `end`.

        The first is at `start_ns`, so that an arm at rest does not begin early; `waypoints` more follow until the
        block's end. The gripper moves from the first on. `seed` (n,) rad are the joints at `start`.

        Raises `UnreachableError` when the arm cannot get there.
        """
        begin = Waypoint(start_ns, tuple(seed.tolist()), start.gripper_width)
        return begin, *straight_waypoints(
            kinematics,
            self.pose(start),
            self.pose(end),
            seed,
            start_ns,
            self.block_s,
            self.waypoints,
            end.gripper_width,
        )

    def ready(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> bool:
        """Return whether the tool at `joints` (n,) rad and the gripper, `gripper_width` m wide, are close enough to a
        set-point."""
        tool = kinematics.forward(joints)
        nearest = self.at(tool, gripper_width)
        there = self.pose(nearest)
        return (
            float(np.linalg.norm(tool.position - there.position)) <= TOLERANCE_M
            and float(np.linalg.norm(pin.log3(tool.rotation.T @ there.rotation))) <= TOLERANCE_RAD
            and abs(gripper_width - nearest.gripper_width) <= GRIPPER_TOLERANCE_M
        )

    def entry(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> tuple[Waypoint, ...]:
        """Return waypoints, timed from 0, that pass over the objects on the table to the top of the bounds, at the
        point nearest to the base, where the fewest objects are. A gripper that actions move keeps its width, since it
        may hold an object.

        Raises `UnreachableError` when the arm cannot go there in straight lines.
        """
        lower, upper = np.asarray(self.bounds.lower), np.asarray(self.bounds.upper)
        entry = np.clip(np.array([0.0, 0.0, upper[2]]), lower, upper)
        width = gripper_width if self.grips else self.gripper_width
        return path_to_start(kinematics, self.pose(self.start(entry)), width, joints, gripper_width)

    # ---------------------------------------------------------------- read off recordings

    def describes(self, sample: ArmSample) -> bool:
        """Return whether position, rotation and commanded gripper width are close enough to a set-point of this
        convention."""
        sent = sample.setpoint
        target = self.at(sent, sample.gripper_command)
        off = sent.rotation.T @ self.pose(target).rotation
        turned = float(np.arccos(np.clip((np.trace(off) - 1.0) / 2.0, -1.0, 1.0)))
        return bool(
            np.linalg.norm(target.position - sent.position) <= RECORDED_TOLERANCE_M
            and turned <= RECORDED_TOLERANCE_RAD
            and (self.grips or abs(target.gripper_width - sample.gripper_command) <= gripper_action.WIDTH_TOLERANCE_M)
        )

    def actions_between(self, series: SampleSeries, times: Vector) -> NDArray[np.float64]:
        """Return the actions (T − 1, size) that moved the set-point from each of the `times` (T,) s to the next."""
        return np.stack([self._entry_between(axis, series, times) for axis in self.axes], axis=1)

    def _entry_between(self, axis: str, series: SampleSeries, times: Vector) -> NDArray[np.float64]:
        if axis == gripper_action.NAME:
            return gripper_action.gripper_actions(series.at(times, gripper_action.COMMAND), self.opening_m)
        moved = np.diff(series.at(times, f"setpoint.{axis}"))
        return moved / (self.turn_rad if axis == YAW else self.scale_m)
