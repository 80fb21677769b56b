"""The action conventions that come with worldarm, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from robot.arm.interface import ArmSpec, Box
from robot.embodiment.convention import ArmConvention
from robot.embodiment.joint_displacement import JointDisplacement
from robot.embodiment.tool_displacement import TOOL_DOWN_EDGE_ON, ToolDisplacement

# One push block: 3.5 cm at most per axis in a seventh of a second (25 cm/s), the closed gripper 4.5 cm above the
# table: below the top of a 6 cm cube, and high enough that the hand does not hide it. The bounds leave room to get
# behind a cube at the edge of the view; at their far corners the elbow is almost as fast as it may be. The data set
# format asks for a whole number of frames a second.
PLANAR_PUSH = ToolDisplacement(
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
TABLETOP = ToolDisplacement(
    axes=("x", "y", "z", "yaw", "gripper"),
    scale_m=0.045,
    block_s=1 / 5,
    waypoints=6,
    bounds=Box((0.38, -0.20, 0.014), (0.62, 0.20, 0.34)),
    turn_rad=0.25,
    turn_bounds=(-1.2, 1.2),
    opening_m=0.08,
)

ToolConventionName = Literal["push", "tabletop"]
TOOL_CONVENTIONS: Mapping[ToolConventionName, ToolDisplacement] = MappingProxyType(
    {"push": PLANAR_PUSH, "tabletop": TABLETOP}
)
"""Those that move the tool, the same for every arm."""

ConventionName = Literal["push", "tabletop", "joints"]
ACTIONS_HELP = (
    "action convention of the models that will learn from the set: push moves the closed gripper in a plane, tabletop "
    "moves the tool in space and grasps, joints moves each joint of this arm and its gripper"
)


def convention_named(name: ConventionName, arm: ArmSpec) -> ArmConvention[Any]:
    """Return the convention of that name for `arm`."""
    return JointDisplacement.of(arm) if name == "joints" else TOOL_CONVENTIONS[name]
