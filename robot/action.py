"""What one action means: a displacement of the tool over one block, carried out as timed joint waypoints.

The convention is data, not code, so that it travels inside a checkpoint: a model only knows what its actions did
under the convention it was trained with.
"""

from __future__ import annotations

import msgspec
import numpy as np

from robot.arm import Box, Vector
from robot.cartesian import straight_waypoints
from robot.kinematics import Kinematics, Pose
from robot.messages import Waypoint

AXES = ("x", "y", "z")
TOOL_DOWN = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
# The same, turned so that the broad hand shows a camera in front of the arm its narrow side.
TOOL_DOWN_EDGE_ON = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


class ActionConvention(msgspec.Struct, frozen=True):
    """A block action in [−1, 1] per entry of `axes` moves the tool's set-point by `scale_m` × action in `block_s`.

    The set-point stays inside `bounds` (m, base frame), at the fixed `rotation` (rows of a 3×3 matrix, tool to
    base) with the gripper `gripper_width` m apart. One block is sent as its start and `waypoints`
    joint waypoints.
    """

    axes: tuple[str, ...]
    scale_m: float
    block_s: float
    waypoints: int
    bounds: Box
    rotation: tuple[tuple[float, float, float], ...] = TOOL_DOWN
    gripper_width: float = 0.0

    @property
    def size(self) -> int:
        """Length of an action."""
        return len(self.axes)

    @property
    def block_ns(self) -> int:
        """Duration of a block in nanoseconds."""
        return round(self.block_s * 1e9)

    def target(self, tool: Vector, action: Vector) -> Vector:
        """Return where `action` (size,) takes a set-point at `tool` (3,) m, kept inside `bounds`."""
        moved = np.array(tool, dtype=np.float64)
        for value, axis in zip(action, self.axes, strict=True):
            moved[AXES.index(axis)] += self.scale_m * float(np.clip(value, -1.0, 1.0))
        return np.clip(moved, self.bounds.lower, self.bounds.upper)

    def pose(self, tool: Vector) -> Pose:
        """Return the tool pose at `tool` (3,) m in the convention's rotation."""
        return Pose(np.asarray(tool, dtype=np.float64), np.asarray(self.rotation))

    def block(
        self, kinematics: Kinematics, start: Vector, end: Vector, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from tool set-point `start` to `end` (3,) m: the first at `start_ns`
        itself, so that an arm that holds does not set out early, then `waypoints` more until the block's end. `seed`
        (n,) rad are the joints at `start`.

        Raises `UnreachableError` when the arm cannot get there.
        """
        begin = Waypoint(start_ns, tuple(seed.tolist()), self.gripper_width)
        return begin, *straight_waypoints(
            kinematics,
            self.pose(start),
            self.pose(end),
            seed,
            start_ns,
            self.block_s,
            self.waypoints,
            self.gripper_width,
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
