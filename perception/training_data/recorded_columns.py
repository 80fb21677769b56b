"""The columns from which blocks are extracted, of worldarm's own recordings and of those of another program."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot.arm.kinematics import ForwardKinematics
from robot.arm.rotations import quaternion_of
from robot.dataset.format.arm_kinematics import read_kinematics
from robot.dataset.format.columns import (
    ACTION,
    EFFORT,
    STATE,
    STATE_NS,
    TOOL_GOVERNED,
    TOOL_MEASURED,
    capture_column,
)
from robot.dataset.reader import Dataset
from robot.embodiment.description import RecordedEmbodiment
from robot.embodiment.joint_source import JointSource
from robot.errors import ConfigurationError, DatasetError
from robot.wire.camera_spec import CameraSpec

Columns = dict[str, NDArray[Any]]


class RecordedColumns:
    """Reads the columns of one episode after the other, with the times of the pictures of `camera`.

    Raises `DatasetError` when the set says of itself what does not fit its columns.
    """

    def __init__(self, dataset: Dataset, recorded: RecordedEmbodiment, camera: CameraSpec) -> None:
        self._dataset = dataset
        self._capture = capture_column(camera.name)
        self._source = recorded.source
        self._kinematics = None if recorded.source is None else _kinematics(dataset, recorded.source)

    def episode(self, number: int) -> Columns:
        """Return the columns of the episode `number`: `action` and `observation.state` (T, n + 1) with joints in rad
        and the gripper's width in m, poses of the tool (T, 7), times (T,) ns, and efforts where the set has them.

        Raises `DatasetError` when the set lacks a column, or when a number is not finite.
        """
        dataset = self._dataset
        if self._source is None:
            efforts = [EFFORT] if EFFORT in dataset.info.features else []
            numbers = [ACTION, STATE, TOOL_GOVERNED, TOOL_MEASURED, *efforts]
            columns = dataset.episode(number, [*numbers, STATE_NS, self._capture])
            _require_finite(dataset, columns, numbers)
            return columns
        stored = dataset.episode(number, [ACTION, STATE])
        _require_finite(dataset, stored, [ACTION, STATE])
        commanded, measured = self._source.commanded(stored[ACTION]), self._source.measured(stored[STATE])
        # The format asks for even times, and another program stores no truer ones.
        times = np.round(np.arange(len(commanded)) * (1e9 / dataset.info.fps)).astype(np.int64)
        return {
            ACTION: commanded,
            STATE: measured,
            TOOL_GOVERNED: self._poses(commanded[:, :-1]),
            TOOL_MEASURED: self._poses(measured[:, :-1]),
            STATE_NS: times,
            self._capture: times,
        }

    def _poses(self, joints: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self._kinematics is not None, "sets of another program have kinematics"
        poses = [self._kinematics.forward(each) for each in joints]
        return np.array([[*pose.position, *quaternion_of(pose.rotation)] for pose in poses])


def _kinematics(dataset: Dataset, source: JointSource) -> ForwardKinematics:
    """Return the kinematics that an adopted set carries. Raises `DatasetError` when they do not fit its columns."""
    found = read_kinematics(dataset.info)
    try:
        if found is None:
            raise ConfigurationError("it carries no kinematics of its arm")
        shapes = (dataset.info.features[name].shape[0] for name in (ACTION, STATE))
        source.require(len(found.joint_names), *shapes)
        return ForwardKinematics(found)
    except (ConfigurationError, KeyError) as error:
        raise DatasetError(
            f"what {dataset.root} says of its joints does not fit it: {error}; run `worldarm dataset adopt` again"
        ) from error


def _require_finite(dataset: Dataset, columns: Columns, names: list[str]) -> None:
    for name in names:
        if not np.isfinite(columns[name]).all():
            raise DatasetError(f"{dataset.root} has numbers in {name!r} that are not finite: check the data set")
