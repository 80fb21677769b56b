"""The data set of a recording: a new one, or an existing one that was recorded in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from perception.recording.episode_rows import CLAMP_NAMES, state_and_action
from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics
from robot.dataset.format.arm_kinematics import kinematics_of, read_kinematics
from robot.dataset.format.columns import image_column
from robot.dataset.format.recorder_columns import effort_features, recorded_features, tool_features
from robot.dataset.format.schema import INFO_PATH, Feature
from robot.dataset.writer import DatasetWriter
from robot.embodiment.convention import ArmConvention
from robot.embodiment.description import RecordedEmbodiment, read_recorded_embodiment
from robot.embodiment.proprioception import Proprioception
from robot.embodiment.state_entries import needs_effort
from robot.errors import ConfigurationError, DatasetError
from robot.system.files import make_folder
from robot.wire.camera_spec import CameraSpec, Images

MOST_TASK = 1000
FPS = range(1, 241)


def require_task(task: str) -> str:
    """Return `task` without surrounding spaces. Raises `ConfigurationError` when it is empty, too long or not
    printable."""
    task = task.strip()
    if not task:
        raise ConfigurationError("describe the task of the episodes: --task 'put the cube into the box'")
    if len(task) > MOST_TASK:
        raise ConfigurationError(f"the task is {len(task)} characters long; use at most {MOST_TASK}")
    if not task.isprintable():
        raise ConfigurationError(
            "the task holds characters that cannot be printed, such as line breaks; leave them out"
        )
    return task


def recorded_embodiment(
    arm: ArmSpec, cameras: tuple[CameraSpec, ...], action: ArmConvention[Any]
) -> RecordedEmbodiment:
    """Return the embodiment description of a data set of `arm` and `cameras`, for models with the action convention
    `action`."""
    return RecordedEmbodiment(arm.models_of or arm.name, cameras, action, action.state_names)


def open_set(root: Path, fps: int, images: Images, arm: ArmSpec, recorded: RecordedEmbodiment) -> DatasetWriter:
    """Return the writer of the data set under `root`; a missing data set is created.

    Raises `DatasetError` when the existing data set has another arm, rate, cameras or actions, `ConfigurationError`
    when the arm does not measure an entry of the state, and `RecordingError` and `ConfigurationError` when the folder
    cannot be written.
    """
    if fps not in FPS:
        raise ConfigurationError(f"--fps must be from {FPS.start} to {FPS.stop - 1}, not {fps}")
    Proprioception(recorded.state_names, recorded.action, Kinematics(arm)).require(arm)
    features = _features(images, arm, recorded)
    make_folder(root)
    if not (root / INFO_PATH).exists():
        metadata = {**recorded.to_metadata(), **kinematics_of(arm).to_metadata()}
        return DatasetWriter.create(root, fps, features, arm.name, metadata)
    writer = DatasetWriter.open(root, fps, features)
    try:
        _require_same(root, writer, arm, recorded)
    except DatasetError:
        writer.close()
        raise
    return writer


def _features(images: Images, arm: ArmSpec, recorded: RecordedEmbodiment) -> dict[str, Feature]:
    kind, cameras = ("video" if images == "video" else "image"), recorded.cameras
    for camera in cameras:
        if kind == "video" and (camera.width % 2 or camera.height % 2):
            raise ConfigurationError(
                f"the camera {camera.name} sends {camera.width}x{camera.height}; video needs even sizes: give it "
                "another --width and --height, or record with --images png"
            )
    return {
        **state_and_action(arm.joint_names),
        **{
            image_column(camera.name): Feature(kind, (camera.height, camera.width, 3), ("height", "width", "channels"))
            for camera in cameras
        },
        **recorded_features([camera.name for camera in cameras], arm.joint_names, CLAMP_NAMES),
        **tool_features(),
        **(effort_features(arm.joint_names) if needs_effort(recorded.state_names) else {}),
    }


def _require_same(root: Path, writer: DatasetWriter, arm: ArmSpec, recorded: RecordedEmbodiment) -> None:
    if writer.info.robot_type != arm.name:
        raise DatasetError(f"{root} has the arm {writer.info.robot_type!r}, not {arm.name!r}: choose another folder")
    kinematics = read_kinematics(writer.info)
    if kinematics is not None and kinematics != kinematics_of(arm):
        raise DatasetError(
            f"{root} was recorded with other kinematics of the arm {arm.name!r} (its description, joints or tool frame "
            "changed): choose another folder"
        )
    before = read_recorded_embodiment(writer.info)
    if before is None:
        raise DatasetError(f"{root} was not recorded by `worldarm record`: choose another folder")
    for what, there, here in (
        ("the models of the arm", before.arm, recorded.arm),
        ("actions", before.action, recorded.action),
        ("states", before.state_names, recorded.state_names),
    ):
        if there != here:
            raise DatasetError(f"{root} was recorded for other {what} (--actions): choose another folder")
    for there_camera, camera in zip(before.cameras, recorded.cameras, strict=True):
        if not _same_camera(there_camera, camera):
            raise DatasetError(
                f"{root} was recorded with another pose or lens of the camera {there_camera.name}: choose "
                "another folder, because a model cannot distinguish the two"
            )


def _same_camera(one: CameraSpec, other: CameraSpec) -> bool:
    """Return whether two specifications describe the same camera at the same pose, up to rounding."""
    numbers = []
    for camera in (one, other):
        if (camera.position is None) != (one.position is None) or len(camera.views) != len(one.views):
            return False
        views = [msgspec.to_builtins(view) for view in camera.views]
        numbers.append([value for view in views for value in _floats(view)])
    there, here = numbers
    return one.name == other.name and np.allclose(there, here, rtol=1e-3, atol=1e-4)


def _floats(view: dict[str, object]) -> list[float]:
    given = [view[name] for name in ("focal", "centre", "position", "orientation")]
    return [float(number) for each in given if isinstance(each, (list, tuple)) for number in each]
