"""The motion of one recorded episode, read so that an arm can repeat it: set-points, times and measured joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from robot.arm.interface import ArmSpec
from robot.client.joint_move import Places
from robot.dataset.format.columns import ACTION, GOVERNED, MEASURED, STATE_NS
from robot.dataset.reader import Dataset
from robot.errors import DatasetError

GRIPPER = "gripper.command"
_SLACK = 1e-5
"""Rounding of single precision, in rad and m."""
_VELOCITY_SLACK = 1.02
_LEAST_APART_S = 1e-3

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trace:
    """T moments: `seconds` (T,) since the first, the governed `setpoints` (T, n) rad, the `measured` joints (T, n) rad,
    None where the data set has none, and the commanded gripper `widths` (T,) m, None where the data set has none."""

    seconds: Array
    setpoints: Array
    measured: Array | None
    widths: Array | None


def read_trace(dataset: Dataset, number: int, arm: ArmSpec) -> Trace:
    """Return the motion of episode `number`, checked against the limits of `arm`.

    Raises `DatasetError` when the data set is of another arm or lacks a needed column, and when the motion exceeds one
    of the arm's limits, leaves its workspace or leads through an obstacle.
    """
    if dataset.info.robot_type not in (arm.name, arm.models_of or arm.name):
        raise DatasetError(
            f"{dataset.root} was recorded with the arm {dataset.info.robot_type or '(not named)'}, not with {arm.name}"
        )
    _require_joints(dataset, GOVERNED, arm)
    wanted = [GOVERNED]
    if MEASURED in dataset.features:
        _require_joints(dataset, MEASURED, arm)
        wanted.append(MEASURED)
    wanted += [STATE_NS] if STATE_NS in dataset.features else []
    names = dataset.features[ACTION].names if ACTION in dataset.features else None
    gripper = names.index(GRIPPER) if names and GRIPPER in names else None
    wanted += [ACTION] if gripper is not None else []
    columns = dataset.episode(number, wanted)
    setpoints = _rows(columns[GOVERNED])
    if STATE_NS in columns:
        times = (columns[STATE_NS] - columns[STATE_NS][0]).astype(np.float64) * 1e-9
    else:
        times = np.arange(len(setpoints)) / dataset.info.fps
    # Two rows with the same state are one moment.
    kept = np.flatnonzero(np.diff(times, prepend=-1.0) >= _LEAST_APART_S)
    trace = Trace(
        times[kept],
        np.clip(setpoints[kept], np.array(arm.lower), np.array(arm.upper)),
        _rows(columns[MEASURED])[kept] if MEASURED in columns else None,
        None if gripper is None else np.clip(_rows(columns[ACTION])[kept, gripper], *arm.gripper_range),
    )
    _require_possible(trace, setpoints[kept], arm, f"episode {number} of {dataset.root}")
    return trace


def _require_joints(dataset: Dataset, name: str, arm: ArmSpec) -> None:
    feature = dataset.features.get(name)
    if feature is None:
        raise DatasetError(
            f"{dataset.root} has no column {name!r}, so the arm's motion is unknown: record with `worldarm record`"
        )
    if feature.names != arm.joint_names:
        raise DatasetError(
            f"the column {name!r} of {dataset.root} has the joints {', '.join(feature.names or ('not named',))}; the "
            f"arm has {', '.join(arm.joint_names)}"
        )


def _require_possible(trace: Trace, recorded: Array, arm: ArmSpec, called: str) -> None:
    if not np.isfinite(recorded).all() or (np.abs(recorded - trace.setpoints) > _SLACK).any():
        row = int(np.argmax(~(np.abs(recorded - trace.setpoints) <= _SLACK).all(axis=1)))
        raise DatasetError(f"{called} exceeds the joints' limits after {trace.seconds[row]:.2f} s")
    speeds = np.abs(np.diff(trace.setpoints, axis=0)) / np.diff(trace.seconds)[:, None]
    if (speeds > _VELOCITY_SLACK * np.array(arm.velocity)).any():
        row, joint = np.argwhere(speeds > _VELOCITY_SLACK * np.array(arm.velocity))[0]
        raise DatasetError(
            f"{called} asks {arm.joint_names[joint]} for {speeds[row, joint]:.2f} rad/s, {trace.seconds[row]:.2f} s "
            f"on; it is allowed {arm.velocity[joint]:.2f}"
        )
    places = Places(arm)
    for seconds, joints in zip(trace.seconds, trace.setpoints, strict=True):
        if what := places.forbidden(joints):
            raise DatasetError(f"in {called}, {seconds:.2f} s on, {what}")


def _rows(values: npt.NDArray[np.generic]) -> Array:
    return values.reshape(len(values), -1).astype(np.float64)
