"""What one action means: a displacement of the tool over one block, carried out as timed joint waypoints.

The convention is data, not code, so that it travels inside a checkpoint: a model only knows what its actions did
under the convention it was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from robot.arm.interface import Box, Vector
from robot.arm.kinematics import Kinematics, Pose
from robot.motion.tool_path import straight_waypoints
from robot.wire.messages import Waypoint

AXES = ("x", "y", "z", "yaw", "gripper")
TOOL_DOWN = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
# The same, turned so that the broad hand shows a camera in front of the arm its narrow side.
TOOL_DOWN_EDGE_ON = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


@dataclass(frozen=True)
class ToolTarget:
    """Where the tool is asked to be: `position` (3,) m in the base frame, turned by `yaw` rad about the vertical from
    its convention's rotation, with the gripper `gripper_width` m apart."""

    position: Vector
    yaw: float = 0.0
    gripper_width: float = 0.0


class ActionConvention(msgspec.Struct, frozen=True):
    """What each entry of a block action in [−1, 1], one for each of `axes`, asks for within `block_s`.

    "x", "y" and "z" move the tool's set-point by `scale_m` × action, inside `bounds` (m, base frame). "yaw" turns it by
    `turn_rad` × action about the vertical, inside `turn_bounds` (rad), from `rotation` (rows of a 3×3 matrix, tool to
    base). "gripper" opens the gripper to `opening_m` when positive, closes it when negative, and leaves it alone when
    zero; without it the gripper stays `gripper_width` m apart. One block is sent as its start and `waypoints` joint
    waypoints.
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

    @property
    def size(self) -> int:
        """Length of an action."""
        return len(self.axes)

    @property
    def binary(self) -> tuple[int, ...]:
        """The entries of an action whose sign alone counts."""
        return tuple(index for index, axis in enumerate(self.axes) if axis == "gripper")

    @property
    def block_ns(self) -> int:
        """Duration of a block in nanoseconds."""
        return round(self.block_s * 1e9)

    def start(self, position: Vector) -> ToolTarget:
        """Return how episodes begin at `position` (3,) m: not turned, the gripper as wide as the convention has it."""
        return ToolTarget(np.asarray(position, dtype=np.float64), 0.0, self.gripper_width)

    def target(self, tool: ToolTarget, action: Vector) -> ToolTarget:
        """Return where `action` (size,) takes a set-point at `tool`, kept inside the bounds."""
        moved = np.array(tool.position, dtype=np.float64)
        yaw, width = (tool.yaw if "yaw" in self.axes else 0.0), tool.gripper_width
        for value, axis in zip(np.clip(action, -1.0, 1.0).tolist(), self.axes, strict=True):
            if axis == "yaw":
                yaw += self.turn_rad * value
            elif axis == "gripper":
                width = width if value == 0.0 else self.opening_m if value > 0.0 else 0.0
            else:
                moved[AXES.index(axis)] += self.scale_m * value
        if "gripper" not in self.axes:
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

    def yaw(self, rotation: NDArray[np.float64]) -> float:
        """Return by how much (rad, about the vertical) a tool of `rotation` (3, 3) is turned from this convention's."""
        return float(pin.log3(rotation @ np.asarray(self.rotation).T)[2])

    def block(
        self, kinematics: Kinematics, start: ToolTarget, end: ToolTarget, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from set-point `start` to `end`: the first at `start_ns` itself, so
        that an arm that holds does not set out early, then `waypoints` more until the block's end. The gripper moves
        from the first on. `seed` (n,) rad are the joints at `start`.

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


# One push block: 3.5 cm at most per axis in a seventh of a second (25 cm/s), the closed gripper 4.5 cm above the
# table: below the top of a 6 cm cube, and high enough that the hand does not hide it. The bounds leave room to get
# behind a cube at the edge of the view; at their far corners the elbow is almost as fast as it may be. The data set
# format asks for a whole number of frames a second.
PLANAR_PUSH = ActionConvention(
    axes=("x", "y"),
    scale_m=0.035,
    block_s=1 / 7,
    waypoints=5,
    bounds=Box((0.33, -0.25, 0.045), (0.69, 0.25, 0.045)),
    rotation=TOOL_DOWN_EDGE_ON,
)

# One tabletop block: 4.5 cm at most per axis and 14° in a fifth of a second; faster, corners would ask a joint for more
# than it may. The fingers open to the camera's left and right, so that it sees what is between them. The bounds reach
# high enough for the hand to leave a picture that looks down on the table.
TABLETOP = ActionConvention(
    axes=("x", "y", "z", "yaw", "gripper"),
    scale_m=0.045,
    block_s=1 / 5,
    waypoints=6,
    bounds=Box((0.38, -0.20, 0.014), (0.62, 0.20, 0.34)),
    turn_rad=0.25,
    turn_bounds=(-1.2, 1.2),
    opening_m=0.08,
)

ConventionName = Literal["push", "tabletop"]
CONVENTIONS: Mapping[str, ActionConvention] = MappingProxyType({"push": PLANAR_PUSH, "tabletop": TABLETOP})
"""Those that come with worldarm, by name."""
