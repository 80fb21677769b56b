"""What a recorder writes beside states, actions and pictures, by which names: so that quality can be told afterwards.

Per frame, as features of the data set, each of which may be absent:

- `joints.measured` float32 (n,): the joints' positions, rad, under their own names, as those of the set-points are.
- `setpoint.requested` float32 (n,): where the joints were asked to be, rad, before the governor.
- `setpoint.governed` float32 (n,): what the governor let through of it, rad.
- `setpoint.clamps` bool (r,): which of r reasons the governor had to change it; the reasons are the feature's names.
- `capture_ns.CAMERA` int64 (1,): when the picture was taken, by the monotonic clock of one machine, ns.
- `age_ns.CAMERA` int64 (1,): how old the picture was when it was paired with the state, ns.
- `state_ns` int64 (1,): when the state was measured, by the same clock as the pictures, ns.
- `tool.measured`, `tool.governed` float32 (7,): where the measured joints, and the governed ones, put the tool: x, y, z
  in m in the arm's base frame, then the unit quaternion x, y, z, w.
- `joints.effort` float32 (n,): the joints' measured efforts, N·m; only in a set whose state is computed from them.

Per episode, among its extras: `marks`, the reasons for which the recorder doubts it, such as "frame late".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robot.dataset.format.columns import (
    AGE_NS,
    CAPTURE_NS,
    CLAMPS,
    EFFORT,
    GOVERNED,
    MEASURED,
    REQUESTED,
    STATE_NS,
    TOOL_GOVERNED,
    TOOL_MEASURED,
    age_column,
    capture_column,
)
from robot.dataset.format.schema import Feature
from robot.dataset.format.tables import Episode

POSE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")
MARKS = "marks"
FRAME_MISSING = "frame missing"
FRAME_LATE = "frame late"
STATE_LATE = "state late"
STATE_SILENT = "driver silent"
DRIVER_RESTARTED = "driver restarted"
CAMERA_SILENT = "camera silent"
CAMERA_CHANGED = "camera changed"
TOO_LONG = "too long"


def recorded_features(cameras: Sequence[str], joints: Sequence[str], clamps: Sequence[str]) -> dict[str, Feature]:
    """The features that a recorder adds: for these cameras, joints, and reasons for clamps."""
    return {
        MEASURED: Feature("float32", (len(joints),), tuple(joints)),
        REQUESTED: Feature("float32", (len(joints),), tuple(joints)),
        GOVERNED: Feature("float32", (len(joints),), tuple(joints)),
        CLAMPS: Feature("bool", (len(clamps),), tuple(clamps)),
        **{capture_column(camera): Feature("int64") for camera in cameras},
        **{age_column(camera): Feature("int64") for camera in cameras},
    }


def tool_features() -> dict[str, Feature]:
    """The features that tell where the tool was, and when."""
    pose = Feature("float32", (len(POSE_NAMES),), POSE_NAMES)
    return {TOOL_MEASURED: pose, TOOL_GOVERNED: pose, STATE_NS: Feature("int64")}


def effort_features(joints: Sequence[str]) -> dict[str, Feature]:
    """Return the feature of the measured efforts of an arm with `joints`, N·m."""
    return {EFFORT: Feature("float32", (len(joints),), tuple(joints))}


def capture_features(features: Mapping[str, Feature]) -> dict[str, str]:
    """Camera → name of the feature with its capture times, of those that there are."""
    return {name.removeprefix(CAPTURE_NS): name for name in features if name.startswith(CAPTURE_NS)}


def age_features(features: Mapping[str, Feature]) -> dict[str, str]:
    """Camera → name of the feature with its frames' ages, of those that there are."""
    return {name.removeprefix(AGE_NS): name for name in features if name.startswith(AGE_NS)}


def marks_of(episode: Episode) -> tuple[str, ...]:
    """For which reasons the recorder doubts an episode; none where it says nothing."""
    marks = episode.extra.get(MARKS, ())
    if isinstance(marks, tuple):
        return marks
    return (str(marks),) if marks else ()
