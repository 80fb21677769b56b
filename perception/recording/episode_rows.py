"""One episode during its recording: its rows so far, and marks for its defects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perception.recording.pairing import newest_by
from robot.arm.kinematics import Kinematics
from robot.arm.rotations import quaternion_of
from robot.dataset.format.columns import (
    ACTION,
    CLAMPS,
    EFFORT,
    GOVERNED,
    MEASURED,
    REQUESTED,
    STATE,
    STATE_NS,
    TOOL_GOVERNED,
    TOOL_MEASURED,
    age_column,
    capture_column,
)
from robot.dataset.format.recorder_columns import (
    ARM_FAULT,
    CAMERA_CHANGED,
    CAMERA_SILENT,
    DRIVER_RESTARTED,
    FRAME_LATE,
    FRAME_MISSING,
    STATE_LATE,
    STATE_SILENT,
    TOO_LONG,
)
from robot.dataset.format.schema import Feature
from robot.driver.modes import Mode
from robot.motion.governor import REASONS
from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import Frame, JointState

OTHER = "other"
CLAMP_NAMES = (*REASONS, OTHER)
STATE_LATE_NS = 100_000_000
"""The episode is marked when a row's state is older than this."""
STATE_SILENT_NS = 500_000_000
CAMERA_SILENT_NS = 1_000_000_000
"""The episode ends when the newest state or picture is older than these."""
SPOILT = (STATE_SILENT, CAMERA_SILENT, CAMERA_CHANGED, DRIVER_RESTARTED, ARM_FAULT)
"""Marks of episodes that a failure ended."""
TIME_IS_UP = "its time is up"

Columns = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Row:
    """The messages of one row; `frames` are in the order of the cameras."""

    state: JointState
    frames: tuple[Frame, ...]


class EpisodeRows:
    """Rows at `begins_ns` + k / `fps` on the monotonic clock, until `ends_ns` or until the episode ends by itself. It
    ends at the latest after `most_rows`, which marks the episode unless it was `planned`.

    With `effort`, rows also hold the joints' measured efforts. `marks` are the episode's defects, each once. `over` is
    the reason why it ended by itself, empty while it has not.
    """

    def __init__(
        self,
        begins_ns: int,
        fps: int,
        cameras: Sequence[CameraSpec],
        kinematics: Kinematics,
        most_rows: int,
        planned: bool = False,
        effort: bool = False,
    ) -> None:
        self.begins_ns = begins_ns
        self.ends_ns: int | None = None
        self.rows = 0
        self.marks: dict[str, None] = {}
        self.over = ""
        self._fps = fps
        self._cameras = tuple(cameras)
        self._most_rows, self._planned = most_rows, planned
        self._kinematics = kinematics
        self._effort = effort
        self._before: Row | None = None
        self._columns: dict[str, list[object]] = {}
        self._turns: dict[str, npt.NDArray[np.float64]] = {}

    @property
    def next_ns(self) -> int:
        """The monotonic time (ns) of the next row."""
        return self.begins_ns + round(self.rows * 1e9 / self._fps)

    @property
    def ended(self) -> bool:
        """Whether the episode is complete."""
        return bool(self.over) or (self.ends_ns is not None and self.next_ns > self.ends_ns)

    def end(self, mark: str, why: str = "") -> None:
        """End the episode here, because of `why`, and mark it with `mark`."""
        self.over = f"{mark}: {why}" if why else mark
        self.marks[mark] = None

    def next_row(self, states: Sequence[JointState], cameras: Sequence[Sequence[Frame]]) -> Row | None:
        """Return the next row, built from the messages of the driver and of each camera in order of arrival; None when
        the episode ends instead."""
        time_ns = self.next_ns
        state = newest_by(states, time_ns)
        if state is None or time_ns - state.time_ns > STATE_SILENT_NS:
            self.end(STATE_SILENT)
            return None
        if state.mode == Mode.FAULT.value:  # nothing is measured any more
            self.end(ARM_FAULT, state.reason)
            return None
        found = [newest_by(frames, time_ns) for frames in cameras]
        row = Row(state, tuple(frame for frame in found if frame is not None))
        if len(row.frames) < len(found) or any(time_ns - each.time_ns > CAMERA_SILENT_NS for each in row.frames):
            self.end(CAMERA_SILENT)
            return None
        if any(frame.camera != spec for frame, spec in zip(row.frames, self._cameras, strict=True)):
            self.end(CAMERA_CHANGED)
            return None
        if time_ns - state.time_ns > STATE_LATE_NS:
            self.marks[STATE_LATE] = None
        if self._before is not None:
            self._judge(row, self._before, cameras)
        since_ns = self._before.state.time_ns if self._before is not None else state.time_ns - 1
        clamps = {name for each in states if since_ns < each.time_ns <= state.time_ns for name in each.clamps}
        self._note(time_ns, row, clamps)
        self._before = row
        self.rows += 1
        if self.rows == self._most_rows and self._planned:
            self.over = TIME_IS_UP
        elif self.rows == self._most_rows:
            self.end(TOO_LONG)
        return row

    def columns(self) -> Columns:
        """Return the values of all rows by feature."""
        whole = {STATE_NS, *(name for camera in self._cameras for name in _times(camera.name))}
        kinds: Mapping[str, type[np.generic]] = {CLAMPS: np.bool_, **dict.fromkeys(whole, np.int64)}
        return {name: np.array(values, kinds.get(name, np.float32)) for name, values in self._columns.items()}

    def _judge(self, row: Row, before: Row, cameras: Sequence[Sequence[Frame]]) -> None:
        """Mark defects in the pictures of `row` and, in hindsight, of the row `before`."""
        before_ns = self.begins_ns + round((self.rows - 1) * 1e9 / self._fps)
        for now, then, frames in zip(row.frames, before.frames, cameras, strict=True):
            if any(then.time_ns < each.time_ns <= before_ns for each in frames):
                self.marks[FRAME_LATE] = None  # it was captured in time, but came after its row had been built
            if now.time_ns == then.time_ns:
                self.marks[FRAME_MISSING] = None

    def _note(self, time_ns: int, row: Row, clamps: set[str]) -> None:
        state = row.state
        named = [name in clamps for name in REASONS]
        values: dict[str, object] = {
            STATE: (*state.measured, state.gripper_width),
            ACTION: (*state.governed, state.gripper_command),
            MEASURED: state.measured,
            REQUESTED: state.requested,
            GOVERNED: state.governed,
            CLAMPS: (*named, bool(clamps - set(REASONS))),
            TOOL_MEASURED: self._pose(state.measured, TOOL_MEASURED),
            TOOL_GOVERNED: self._pose(state.governed, TOOL_GOVERNED),
            STATE_NS: state.time_ns,
        }
        if self._effort:
            values[EFFORT] = state.measured_effort
        for frame in row.frames:
            capture, age = _times(frame.camera.name)
            values |= {capture: frame.time_ns, age: time_ns - frame.time_ns}
        for name, value in values.items():
            self._columns.setdefault(name, []).append(value)

    def _pose(self, joints: Sequence[float], feature: str) -> tuple[float, ...]:
        pose = self._kinematics.forward(np.asarray(joints))
        turn = np.array(quaternion_of(pose.rotation))
        # Of the two quaternions of a rotation, the one closer to that of the previous row.
        if float(turn @ self._turns.setdefault(feature, turn)) < 0.0:
            turn = -turn
        self._turns[feature] = turn
        return (*pose.position.tolist(), *turn.tolist())


def state_and_action(joints: Sequence[str]) -> dict[str, Feature]:
    """Return the features of the measured state and of the commanded action for an arm with `joints`: rad, and m for
    the gripper."""
    size = len(joints) + 1
    return {
        STATE: Feature("float32", (size,), (*joints, "gripper.width")),
        ACTION: Feature("float32", (size,), (*joints, "gripper.command")),
    }


def _times(camera: str) -> tuple[str, str]:
    return capture_column(camera), age_column(camera)
