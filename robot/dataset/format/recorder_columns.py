"""The columns that a recorder writes in addition to states, actions and pictures; quality reports use them.

Per frame, as features of the data set, each of which may be absent:

- `joints.measured` float32 (n,): measured joint positions, rad; the names are the joints'.
- `setpoint.requested` float32 (n,): requested joint positions, rad, before the governor; the names are the joints'.
- `setpoint.governed` float32 (n,): joint positions after the governor, rad; the names are the joints'.
- `setpoint.clamps` bool (r,): for which of r reasons the governor changed the request; the names are the reasons.
- `capture_ns.CAMERA` int64 (1,): when the picture was taken, by the monotonic clock of one machine, ns.
- `age_ns.CAMERA` int64 (1,): how old the picture was when it was paired with the state, ns.
- `state_ns` int64 (1,): when the state was measured, by the same clock as the pictures, ns.
- `tool.measured`, `tool.governed` float32 (7,): pose of the tool for the measured and for the governed joints: x, y, z
  in m in the arm's base frame, then the unit quaternion x, y, z, w.
- `joints.effort` float32 (n,): the joints' measured efforts, N·m; only in a set whose state is computed from them.

Per episode, among its extras: `marks`, the reasons why the recorder doubts its quality, such as "frame late".
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
ARM_FAULT = "arm fault"
CAMERA_SILENT = "camera silent"
CAMERA_CHANGED = "camera changed"
TOO_LONG = "too long"


def recorded_features(cameras: Sequence[str], joints: Sequence[str], clamps: Sequence[str]) -> dict[str, Feature]:
    """Return the features that a recorder adds for these `cameras`, `joints` and reasons of `clamps`."""
    return {
        MEASURED: Feature("float32", (len(joints),), tuple(joints)),
        REQUESTED: Feature("float32", (len(joints),), tuple(joints)),
        GOVERNED: Feature("float32", (len(joints),), tuple(joints)),
        CLAMPS: Feature("bool", (len(clamps),), tuple(clamps)),
        **{capture_column(camera): Feature("int64") for camera in cameras},
        **{age_column(camera): Feature("int64") for camera in cameras},
    }


def tool_features() -> dict[str, Feature]:
    """Return the features of the tool's poses and of the times of the states."""
    pose = Feature("float32", (len(POSE_NAMES),), POSE_NAMES)
    return {TOOL_MEASURED: pose, TOOL_GOVERNED: pose, STATE_NS: Feature("int64")}


def effort_features(joints: Sequence[str]) -> dict[str, Feature]:
    """Return the feature of the measured efforts of an arm with `joints`, N·m."""
    return {EFFORT: Feature("float32", (len(joints),), tuple(joints))}


def capture_features(features: Mapping[str, Feature]) -> dict[str, str]:
    """Return the name of each camera's feature of capture times; a camera without one is left out."""
    return {name.removeprefix(CAPTURE_NS): name for name in features if name.startswith(CAPTURE_NS)}


def age_features(features: Mapping[str, Feature]) -> dict[str, str]:
    """Return the name of each camera's feature of frame ages; a camera without one is left out."""
    return {name.removeprefix(AGE_NS): name for name in features if name.startswith(AGE_NS)}


def marks_of(episode: Episode) -> tuple[str, ...]:
    """Return the reasons why the recorder doubts an episode's quality; empty when it stored none."""
    marks = episode.extra.get(MARKS, ())
    if isinstance(marks, tuple):
        return marks
    return (str(marks),) if marks else ()
