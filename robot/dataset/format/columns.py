"""Names of a data set's columns, each written here and nowhere else.

No column that worldarm adds begins with "action" or "observation": LeRobot's policies take such columns as training
data.
"""

from __future__ import annotations

# LeRobot's own.
STATE = "observation.state"
ACTION = "action"
IMAGES = "observation.images."
"""Prefix of a camera's pictures; the camera's name follows."""
TIMESTAMP = "timestamp"
FRAME_INDEX = "frame_index"
EPISODE_INDEX = "episode_index"
INDEX = "index"
TASK_INDEX = "task_index"

# A recorder's and play's.
MEASURED = "joints.measured"
REQUESTED = "setpoint.requested"
GOVERNED = "setpoint.governed"
CLAMPS = "setpoint.clamps"
EFFORT = "joints.effort"
"""The joints' measured efforts, in a set whose state needs them."""
STATE_NS = "state_ns"
TOOL_MEASURED = "tool.measured"
TOOL_GOVERNED = "tool.governed"
CAPTURE_NS = "capture_ns."
"""Prefix of when a camera's picture was taken; the camera's name follows."""
AGE_NS = "age_ns."
"""Prefix of how old a camera's picture was; the camera's name follows."""

# Play's alone.
CLEAN_ACTION = "intention"
"""The action before noise was added to it."""
CAPTURE_TIME_NS = "capture_time_ns"
OBJECT_POSE = "privileged."
"""Prefix of an object's true pose; the object's name follows."""
ABSENT_BELOW_M = -0.3
"""An object whose centre is below this height (m, base frame) is under the table, and in no picture."""


def image_column(camera: str) -> str:
    """Return the column of a camera's pictures."""
    return IMAGES + camera


def capture_column(camera: str) -> str:
    """Return the column that holds when the pictures of `camera` were taken."""
    return CAPTURE_NS + camera


def age_column(camera: str) -> str:
    """Return the column that holds how old the pictures of `camera` were when they were paired with a state."""
    return AGE_NS + camera


def camera_of(column: str) -> str:
    """Return the camera whose pictures a column holds: `observation.images.front` is of "front"."""
    return column.removeprefix(IMAGES)
