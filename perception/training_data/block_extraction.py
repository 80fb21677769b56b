"""Extracts blocks from episodes that were recorded at a camera's rate: for each block the picture at its start, the
state of the arm at that moment, and the action that took the set-point from there to the start of the next block.

Blocks begin on an even grid. Each begins with the picture captured nearest to its place in the grid. States and
set-points are interpolated at the capture times, so that an action says what happened between its two pictures. A
camera captures several pictures a block, so an episode is read in several grids, each a part of a block later than the
one before: a model then sees more of what happened. An episode is cut where a picture is missing, or where no action of
the convention describes the arm's motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from perception.camera.framing import reframe
from perception.training_data.recorded_columns import Columns, RecordedColumns
from robot.arm.kinematics import Pose
from robot.arm.rotations import rotation_matrix
from robot.dataset.format.columns import (
    ACTION,
    EFFORT,
    STATE,
    STATE_NS,
    TOOL_GOVERNED,
    TOOL_MEASURED,
    capture_column,
    image_column,
)
from robot.dataset.reader import Dataset
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.description import RecordedEmbodiment
from robot.embodiment.proprioception import states_at
from robot.embodiment.sample_series import SampleSeries
from robot.errors import DatasetError
from robot.wire.camera_spec import CameraSpec

GRIDS = 3
"""The most grids in which an episode is read; more would hold nearly the same blocks."""
OFF_GRID = 0.25
"""Share of a block by which a picture may miss its place in the grid."""
LEAST_BLOCKS = 4
"""Shorter stretches are left out."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive blocks in one grid of `episode`: the `rows` (T,) of the pictures at their starts, their `states`
    (T, P) and their `actions` (T, A). The last action is zero: what followed is not known."""

    episode: int
    rows: NDArray[np.int64]
    states: NDArray[np.float32]
    actions: NDArray[np.float32]


@dataclass(frozen=True)
class Blocks:
    """A recorded data set as `stretches` of blocks. `left_out` is a sentence about the blocks that are not in them,
    empty when all are."""

    stretches: tuple[Stretch, ...]
    left_out: str

    def pictures(self, dataset: Dataset, camera: CameraSpec, picture: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        """Yield for each stretch, in order, the pictures of `camera` at the starts of its blocks, (T, H, W, 3) RGB,
        each view cut and resized to the width and height of `picture`. Each episode is decoded once."""
        name = image_column(camera.name)
        for episode, group in groupby(self.stretches, key=lambda each: each.episode):
            stretches = list(group)
            wanted = {int(row) for stretch in stretches for row in stretch.rows}
            found: dict[int, NDArray[np.uint8]] = {}
            for row, image in enumerate(dataset.frames(episode, name)):
                if row in wanted:
                    found[row] = reframe(image, camera, picture)
                if len(found) == len(wanted):
                    break
            for stretch in stretches:
                yield np.stack([found[int(row)] for row in stretch.rows])


def read_blocks(dataset: Dataset, recorded: RecordedEmbodiment, camera: CameraSpec) -> Blocks:
    """Return the blocks of a data set with the embodiment `recorded`, with the pictures of `camera`.

    Raises `DatasetError` when the set lacks a column, when a number in it is not finite, or when no block is left.
    """
    capture = capture_column(camera.name)
    reading = RecordedColumns(dataset, recorded, camera)
    stretches: list[Stretch] = []
    astray = unseen = total = kept = 0
    bar = tqdm(range(len(dataset)), desc="reading blocks", unit="episode", mininterval=0.5, delay=2.0, leave=False)
    for number in bar:
        columns = reading.episode(number)
        motion = _Motion(recorded, columns)
        for rows in _grids(columns[capture], columns[STATE_NS], recorded.action.block_ns):
            within = np.array([row >= 0 and motion.describes(int(columns[capture][row])) for row in rows], bool)
            total += len(rows)
            astray += int((~within & (rows >= 0)).sum())
            unseen += int((rows < 0).sum())
            for part in _runs(within):
                if len(part) > LEAST_BLOCKS:
                    stretches.append(motion.stretch(number, rows[part], columns[capture][rows[part]]))
                    kept += len(part)
    left_out = ""
    if kept < total:
        left_out = (
            f"{total - kept} of {total} blocks in {dataset.root} are left out: {unseen} lack a picture near enough to "
            f"their start, {astray} begin where no such action can have sent the arm or its gripper, and the rest are "
            "too few in a row"
        )
    if not stretches:
        raise DatasetError(
            f"no model can learn from the blocks in {dataset.root}: {left_out or 'its episodes are too short'}; was it "
            "recorded with the --actions by which the arm was moved?"
        )
    return Blocks(tuple(stretches), left_out)


class _Motion:
    """The motion of the arm in one episode, and its state at any moment."""

    def __init__(self, recorded: RecordedEmbodiment, columns: Columns) -> None:
        self._recorded = recorded
        times_ns = columns[STATE_NS]
        self._first_ns = int(times_ns[0])
        fresh = np.flatnonzero(np.diff(times_ns, prepend=times_ns[0] - 1) > 0)
        self._series = SampleSeries(
            (times_ns[fresh] - self._first_ns) * 1e-9, [self._sample(columns, int(row)) for row in fresh]
        )

    def describes(self, time_ns: int) -> bool:
        """Return whether an action of the convention can have led to the set-point at `time_ns`."""
        return self._recorded.action.describes(self._series.nearest((time_ns - self._first_ns) * 1e-9))

    def stretch(self, episode: int, rows: NDArray[np.int64], times_ns: NDArray[np.int64]) -> Stretch:
        """Return the blocks whose pictures are in `rows` (T,) and were captured at `times_ns` (T,)."""
        convention = self._recorded.action
        times = np.asarray((times_ns - self._first_ns) * 1e-9, np.float64)
        states = states_at(self._recorded.state_names, self._series, times).astype(np.float32)
        actions = np.zeros((len(rows), convention.size))
        actions[:-1] = convention.actions_between(self._series, times)
        return Stretch(episode, rows, states, np.clip(actions, -1.0, 1.0).astype(np.float32))

    def _sample(self, columns: Columns, row: int) -> ArmSample:
        measured, governed = columns[STATE][row].astype(np.float64), columns[ACTION][row].astype(np.float64)
        effort = columns[EFFORT][row].astype(np.float64) if EFFORT in columns else np.zeros(0)
        return ArmSample(
            measured[:-1],
            governed[:-1],
            _pose(columns[TOOL_MEASURED][row]),
            _pose(columns[TOOL_GOVERNED][row]),
            float(measured[-1]),
            float(governed[-1]),
            effort,
            self._recorded.action.yaw,
        )


def _grids(captured_ns: NDArray[np.int64], states_ns: NDArray[np.int64], block_ns: int) -> Iterator[NDArray[np.int64]]:
    """Yield for each grid the rows (T,) whose pictures are nearest to the starts of its blocks, −1 where none is near
    enough. Grids begin at the first picture at whose time a state is known."""
    taken = np.unique(captured_ns[captured_ns >= states_ns[0]])
    if not len(taken):
        return
    last = min(captured_ns[-1], states_ns[-1])
    a_block = block_ns / float(np.median(np.diff(taken))) if len(taken) > 1 else 1.0
    count = int(np.clip(round(a_block), 1, GRIDS))
    for shift in range(count):
        starts = np.arange(taken[0] + shift * block_ns // count, last + 1, block_ns)
        found = np.array([int(np.abs(captured_ns - start).argmin()) for start in starts], np.int64)
        found[np.abs(captured_ns[found] - starts) > OFF_GRID * block_ns] = -1
        yield found


def _runs(flags: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Return the runs of true in `flags`, each as its indices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [np.arange(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _pose(stored: NDArray[Any]) -> Pose:
    """Return the pose that a row holds: position (3,) m, then quaternion (x, y, z, w)."""
    values = stored.astype(np.float64)
    x, y, z, w = values[3:] / np.linalg.norm(values[3:])
    return Pose(values[:3], rotation_matrix((float(x), float(y), float(z), float(w))))
