"""Reports which part of the workspace a data set covers: the tool's positions, in numbers and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from tqdm import tqdm

from robot.arm.kinematics import ForwardKinematics
from robot.dataset.format.arm_kinematics import ArmKinematics, kinematics_of, read_kinematics
from robot.dataset.format.columns import GOVERNED, MEASURED, STATE
from robot.dataset.format.schema import Feature
from robot.dataset.reader import Dataset
from robot.dataset.report.quality import state_feature
from robot.known_arms import known_spec
from robot.system.figures import save_figure

TOOL = ("tool.x", "tool.y", "tool.z")
CELL_M = 0.02
_MOST_POINTS = 200_000


class Coverage(msgspec.Struct, frozen=True):
    """The extent of a set of points: `of`, "tool" or "state"; the `names` of their entries; their bounds.

    cells: number of cubes with edge `CELL_M` that the tool's positions fall into; None for states.
    """

    of: str
    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    cells: int | None


def covered(dataset: Dataset) -> tuple[Coverage, npt.NDArray[np.float64]] | None:
    """Return the coverage of a set and its points (N, n); None when the set has no state.

    The points are the tool's positions (m) when the state has them or the arm's kinematics are known, and else the
    state. Raises DatasetError when an episode is damaged.
    """
    source = _joint_feature(dataset)
    state = state_feature(dataset.features)
    names = dataset.features[state].names if state else None
    if state and names and set(TOOL) <= set(names):
        points = _read(dataset, state)[:, [names.index(name) for name in TOOL]]
        return _coverage("tool", TOOL, points), points
    if source is not None:
        name, columns, arm = source
        kinematics = ForwardKinematics(arm)
        joints = _read(dataset, name)[:, columns]
        bar = tqdm(joints, desc="kinematics", unit="frame", mininterval=0.5, delay=2.0)
        points = np.array([kinematics.position(row) for row in bar])
        return _coverage("tool", TOOL, points), points
    if state is None:
        return None
    points = _read(dataset, state)
    words = names or tuple(f"state {number}" for number in range(points.shape[1]))
    return _coverage("state", words, points), points


def draw_workspace(coverage: Coverage, points: npt.NDArray[np.float64], path: Path) -> None:
    """Write a picture that shows, along each axis, how often each place was visited; for states, of three entries.

    Raises RecordingError when it cannot be written.
    """
    pairs = list(combinations(range(min(3, points.shape[1])), 2)) or [(0, 0)]
    figure = Figure(figsize=(4.2 * len(pairs), 4.0))
    for number, (across, up) in enumerate(pairs):
        axes = figure.add_subplot(1, len(pairs), number + 1)
        axes.hexbin(points[:, across], points[:, up], gridsize=40, bins="log", mincnt=1, cmap="viridis")
        unit = " (m)" if coverage.of == "tool" else ""
        axes.set_xlabel(coverage.names[across] + unit, parse_math=False)
        axes.set_ylabel(coverage.names[up] + unit, parse_math=False)
        axes.set_facecolor("#f2f2ee")
        if coverage.of == "tool":
            axes.set_aspect("equal", adjustable="datalim")
    figure.suptitle(f"{len(points)} frames: {coverage.of}")
    save_figure(figure, path)


def _joint_feature(dataset: Dataset) -> tuple[str, list[int], ArmKinematics] | None:
    """Return a column that holds all joints of the set's arm, where in it they are, and the arm's kinematics.

    The kinematics are those that the set carries; for one recorded before sets carried them, those of a known arm of
    its name. Returns None when neither is there, or when no column has the joints.
    """
    known = known_spec(dataset.info.robot_type)
    arm = read_kinematics(dataset.info) or (None if known is None else kinematics_of(known))
    if arm is None:
        return None
    features: Mapping[str, Feature] = dataset.features
    for name in (MEASURED, STATE, GOVERNED):
        names = features[name].names if name in features else None
        # Joints with exactly these names are in rad; other recorders use other names, and degrees.
        if names and set(arm.joint_names) <= set(names):
            return name, [names.index(joint) for joint in arm.joint_names], arm
    return None


def _read(dataset: Dataset, name: str) -> npt.NDArray[np.float64]:
    """Return a column of the whole set, (N, n); of a very long set, evenly spaced frames."""
    step = max(1, int(dataset.lengths.sum()) // _MOST_POINTS)
    bar = tqdm(range(len(dataset)), desc="reading", unit="episode", mininterval=0.5, delay=2.0)
    rows = [dataset.episode(index, [name])[name].astype(np.float64) for index in bar]
    return np.concatenate([one.reshape(len(one), -1) for one in rows])[::step]


def _coverage(of: str, names: tuple[str, ...], points: npt.NDArray[np.float64]) -> Coverage:
    cells = len(np.unique(np.floor(points / CELL_M).astype(np.int64), axis=0)) if of == "tool" else None
    return Coverage(of, names, tuple(points.min(axis=0).tolist()), tuple(points.max(axis=0).tolist()), cells)
