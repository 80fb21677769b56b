"""Recordings whose motion is known, written without a recorder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perception.recording.dataset import open_set, recorded_embodiment
from robot.arm.kinematics import Kinematics, Pose
from robot.arm.rotations import quaternion_of
from robot.dataset import Dataset
from robot.dataset.format.columns import (
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
from robot.dataset.format.recorder_columns import MARKS
from robot.dataset.writer import DatasetWriter
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.convention import ArmConvention
from robot.embodiment.description import RecordedEmbodiment
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from robot.wire.camera_spec import CameraSpec
from tests.robot.panda import panda_spec

FPS = 30
CAMERA = CameraSpec("front", 32, 24, (30.0, 30.0), (16.0, 12.0))
WRIST = CameraSpec("wrist", 32, 24, (30.0, 30.0), (16.0, 12.0))
ARM = panda_spec()


def path(convention: ToolDisplacement, seconds: np.ndarray, speed: float, sway: float = 0.0) -> list[Pose]:
    """A tool that goes along +y, or that and up while it turns, from the middle of the convention's bounds; to and fro
    along x too, `sway` times a second."""
    middle = np.mean([convention.bounds.lower, convention.bounds.upper], axis=0) + [0.0, -0.1, 0.0]
    lifts = 0.02 if "z" in convention.axes else 0.0
    turns = 0.3 if "yaw" in convention.axes else 0.0
    return [
        convention.pose(
            ToolTarget(middle + [0.03 * np.sin(2 * np.pi * sway * t), speed * t, lifts * t], turns * t, 0.0)
        )
        for t in seconds
    ]


def written(
    root: Path,
    convention: ToolDisplacement = PLANAR_PUSH,
    seconds: float = 4.0,
    speed: float = 0.05,
    lost: Sequence[int] = (),
    above_m: float = 0.0,
    gripper: np.ndarray | None = None,
    sways: tuple[float, ...] = (0.0,),
) -> Dataset:
    """A recording of that, an episode for each of `sways`."""
    joints = np.tile(np.array(ARM.home, np.float32), (round(seconds * FPS), 1))
    moments = times(seconds)
    since = (moments - moments[0]) * 1e-9
    with open_set(root, FPS, "png", ARM, recorded_embodiment(ARM, (CAMERA, WRIST), convention)) as writer:
        for sway in sways:
            poses = path(convention, since, speed, sway)
            raised = [Pose(pose.position + [0.0, 0.0, above_m], pose.rotation) for pose in poses]
            save(writer, joints, raised, gripper, lost)
    return Dataset.open(root)


def written_in_joints(
    root: Path,
    recorded: RecordedEmbodiment,
    joints: Sequence[np.ndarray],
    gripper: np.ndarray | None = None,
    effort: np.ndarray | None = None,
) -> Dataset:
    """A recording of `joints`, (rows, n) rad for each episode, and of their `effort` (rows, n) N·m, where given."""
    kinematics = Kinematics(ARM)
    with open_set(root, FPS, "png", ARM, recorded) as writer:
        for way in joints:
            save(writer, way.astype(np.float32), [kinematics.forward(each) for each in way], gripper, effort=effort)
    return Dataset.open(root)


def described(convention: ArmConvention[Any]) -> RecordedEmbodiment:
    """How both cameras record the arm for models of a convention."""
    return recorded_embodiment(ARM, (CAMERA, WRIST), convention)


def times(seconds: float) -> np.ndarray:
    """When the rows of such a recording are, ns."""
    return 10**15 + np.round(np.arange(round(seconds * FPS)) * 1e9 / FPS).astype(np.int64)


def save(
    writer: DatasetWriter,
    joints: np.ndarray,
    poses: Sequence[Pose],
    gripper: np.ndarray | None = None,
    lost: Sequence[int] = (),
    effort: np.ndarray | None = None,
) -> None:
    """Save an episode: what is measured is what was sent. Pictures are all of one grey, the number of their row, and
    taken 10 ms before it, but for those of the rows that are `lost`."""
    rows = len(joints)
    times_ns = times(rows / FPS)
    captured = times_ns - 10_000_000
    for row in lost:
        captured[row] = captured[row - 1]
    widths = np.zeros(rows, np.float32) if gripper is None else gripper.astype(np.float32)
    pictures = np.tile(np.arange(rows, dtype=np.uint8)[:, None, None, None], (1, 24, 32, 3))
    tool = np.array([[*pose.position, *quaternion_of(pose.rotation)] for pose in poses], np.float32)
    seen = {}
    for camera in (CAMERA, WRIST):
        seen |= {capture_column(camera.name): captured, age_column(camera.name): times_ns - captured}
        seen[f"observation.images.{camera.name}"] = pictures
    writer.save_episode(
        {
            "observation.state": np.column_stack([joints, widths]),
            "action": np.column_stack([joints, widths]),
            **dict.fromkeys((MEASURED, REQUESTED, GOVERNED), joints),
            CLAMPS: np.zeros((rows, len(writer.info.features[CLAMPS].names or ())), bool),
            TOOL_MEASURED: tool,
            TOOL_GOVERNED: tool,
            STATE_NS: times_ns,
            **seen,
            **({} if effort is None else {EFFORT: effort.astype(np.float32)}),
        },
        "move",
        {MARKS: ()},
    )
