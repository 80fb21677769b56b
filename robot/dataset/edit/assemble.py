"""Assembles a data set from episodes of other sets, in a folder that nobody reads yet; merge, split and delete use it.

Videos and whole files are copied or linked, so that frames stay the same to the last bit. Only the indices of the
episode and of its task change, in its data and its row. Where another program keeps several episodes in a file, each
episode's part becomes a file of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from robot.dataset.edit.video_cut import cut_video, require_same_frames
from robot.dataset.edit.video_placement import Placement, place_in_video
from robot.dataset.format import statistics
from robot.dataset.format.bounded_parquet import DATA_FILE, open_parquet
from robot.dataset.format.columns import EPISODE_INDEX, INDEX, TASK_INDEX
from robot.dataset.format.disk_space import require_free
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import BOOKKEEPING, INFO_PATH, STATS_PATH, TASKS_PATH, DatasetInfo
from robot.dataset.format.staged_files import make_durable_folder
from robot.dataset.format.tables import (
    Episode,
    read_row_statistics,
    read_rows,
    renumbered,
    row_table,
    to_parquet,
    with_bookkeeping,
)
from robot.dataset.format.tasks import tasks_table
from robot.dataset.reader import Dataset, column_array, read_frames
from robot.dataset.set_quantiles import SetQuantiles, number_columns
from robot.errors import DatasetError
from robot.system.files import sync, write_durable

NUMBERS = (EPISODE_INDEX, INDEX, TASK_INDEX)


@dataclass(frozen=True)
class Placed:
    """One episode of the new set: its `source` set, its row there (`old`) and its row in the new set (`new`)."""

    source: Dataset
    old: Episode
    new: Episode


def place_episodes(info: DatasetInfo, chosen: Iterable[tuple[Dataset, Episode]]) -> list[Placed]:
    """Number the chosen episodes from 0, in this order; each gets files of the same number."""
    placed: list[Placed] = []
    begin = 0
    for number, (source, old) in enumerate(chosen):
        chunk, file = divmod(number, info.chunks_size)
        videos = {key: replace(span, chunk=chunk, file=file) for key, span in old.videos.items()}
        new = replace(
            old,
            index=number,
            from_index=begin,
            data_chunk=chunk,
            data_file=file,
            row_chunk=chunk,
            row_file=file,
            videos=videos,
        )
        placed.append(Placed(source, old, new))
        begin += old.length
    return placed


def place_in_order(source: Dataset, kept: Iterable[Episode]) -> list[Placed]:
    """Number the remaining episodes of a set from 0; their files keep their names."""
    placed: list[Placed] = []
    begin = 0
    for number, old in enumerate(kept):
        placed.append(Placed(source, old, replace(old, index=number, from_index=begin)))
        begin += old.length
    return placed


def tasks_of(placed: Iterable[Placed]) -> list[str]:
    """Return the tasks of these episodes, each once, in the order of their sets; unused tasks are dropped."""
    known: dict[str, None] = {}
    used: set[str] = set()
    for one in placed:
        known.update(dict.fromkeys(one.source.tasks))
        used.update(one.old.tasks)
    return [task for task in known if task in used]


def require_space(folder: Path, placed: Iterable[Placed]) -> None:
    """Raise RecordingError when the disk under `folder` has too little space for a copy of the episodes' files."""
    paths = {path for one in placed for path in _files(one.source.root, one.source.info, one.old)}
    try:
        needed = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read ({error.strerror}): check the data set") from error
    require_free(folder, needed)


def assemble(
    folder: Path, info: DatasetInfo, tasks: Sequence[str], placed: Iterable[Placed], *, linked: bool = False
) -> DatasetInfo:
    """Write the `placed` episodes as a set into the empty `folder`, durably; return its info with the totals.

    tasks: the tasks of the new set, by their new index.
    linked: link files that need no change from their source instead of copying them, where the file system can.
    Raises DatasetError when an episode's files are missing, damaged or differ from its row; OSError when the folder
    cannot be written.
    """
    numbers = {task: number for number, task in enumerate(tasks)}
    totals: statistics.Statistics = {}
    quantiles = SetQuantiles()
    rows, videos = _Rows(), _Videos(folder, info, linked)
    episodes = frames = 0
    for one in placed:
        row = one.new
        for key in one.new.videos:
            row = videos.transfer(one, key, row)
        columns = _transfer_data(folder, info, one, numbers, linked)
        own = with_bookkeeping(rows.statistics(one), {name: columns[name] for name in BOOKKEEPING})
        _write(folder, row.row_path, to_parquet(row_table(info, row, own), lean=True))
        totals = statistics.merge(totals, own)
        quantiles = quantiles.with_episode(columns, own)
        episodes, frames = episodes + 1, frames + one.new.length
    done = info.with_totals(episodes, frames, len(tasks))
    _write(folder, TASKS_PATH, to_parquet(tasks_table(dict(enumerate(tasks)))))
    _write(folder, STATS_PATH, statistics.to_json(quantiles.put_into(totals)))
    _write(folder, INFO_PATH, done.to_json())
    return done


def transfer(source: Path, target: Path, linked: bool) -> None:
    """Copy a file durably, or link it when `linked` and the file system can. Raises OSError.

    Of a symbolic link, the file that it leads to is taken.
    """
    make_durable_folder(target.parent, durable=False)  # all folders are made durable together at the end
    if linked:
        try:
            os.link(os.path.realpath(source), target)  # it would make a second link of a link
            sync(target)  # its writer may not have waited for the disk
            return
        except OSError:
            if target.exists() or not source.exists():
                raise
    shutil.copyfile(source, target)
    sync(target)


def _transfer_data(
    folder: Path, info: DatasetInfo, one: Placed, tasks: Mapping[str, int], linked: bool
) -> dict[str, npt.NDArray[np.generic]]:
    """Write the episode's frames into the new set; return its number columns there."""
    source = one.source.data_path(one.old)
    target = info.data_file(one.new.data_chunk, one.new.data_file)
    names = [name for name, feature in info.features.items() if feature.dtype != "video"]
    start, whole = one.source.place_in_file(one.old)
    table = read_frames(source, start, one.old.length, names, verify=True)
    with open_parquet(source, DATA_FILE) as file:
        there = file.metadata.num_rows
    if there != whole:
        owner = "its episode" if whole == one.old.length else "its episodes"
        raise DatasetError(f"{source} has {there} frames, and {owner} {whole}: check the data set")
    before = {name: column_array(name, info.features[name], table[name]) for name in NUMBERS}
    after = {
        EPISODE_INDEX: np.full(one.new.length, one.new.index, dtype=np.int64),
        INDEX: one.new.from_index + np.arange(one.new.length, dtype=np.int64),
        TASK_INDEX: _task_numbers(source, one, before[TASK_INDEX], tasks),
    }
    if (before[EPISODE_INDEX] != one.old.index).any():
        raise DatasetError(f"{source} holds other frames than those of episode {one.old.index}: check the data set")
    if whole == one.old.length and all((before[name] == after[name]).all() for name in NUMBERS):
        transfer(source, inside(folder, target), linked)
    else:
        _write(folder, target, to_parquet(renumbered(table, after)))
    kept = {name: column_array(name, info.features[name], table[name]) for name in number_columns(info)}
    return {**kept, **after}


def _task_numbers(
    source: Path, one: Placed, before: npt.NDArray[np.int64], tasks: Mapping[str, int]
) -> npt.NDArray[np.int64]:
    """Return the task indices in the new set, (T,) int64, for those `before` in the old set."""
    new = np.empty(len(before), dtype=np.int64)
    for number in np.unique(before):
        task = one.source.tasks[number] if 0 <= number < len(one.source.tasks) else ""
        if task not in tasks:
            raise DatasetError(f"{source} has frames of the task {number}, which its row does not name: repair the set")
        new[before == number] = tasks[task]
    return new


class _Videos:
    """Writes the videos of the placed episodes into the new set; a file of several is looked through once a camera."""

    def __init__(self, folder: Path, info: DatasetInfo, linked: bool) -> None:
        self._folder, self._info, self._linked = folder, info, linked
        self._placements: dict[str, tuple[Path, Placement]] = {}

    def transfer(self, one: Placed, key: str, row: Episode) -> Episode:
        """Write the episode's video `key`; return its `row` in the new set with the video's place and digest.

        A file that holds no other episode is kept as it is: frames of none, before or after it, do no harm.
        """
        source, span = one.source.video_path(key, one.old.videos[key]), row.videos[key]
        target = self._info.video_file(key, span.chunk, span.file)
        if self._linked:
            _found(source)
            transfer(source, inside(self._folder, target), linked=True)
            return row
        begin = self._placement(source, one, key).begins_s[one.old.index]
        digests = dict(row.digests)
        if len(one.source.sharing_video(one.old, key)) > 1:
            begin, digests[key] = 0.0, self._cut(source, one, key, target)
        else:
            transfer(source, inside(self._folder, target), linked=False)
        span = replace(span, from_timestamp=begin, to_timestamp=begin + row.length / self._info.fps)
        return replace(row, videos={**row.videos, key: span}, digests=digests)

    def _placement(self, source: Path, one: Placed, key: str) -> Placement:
        known = self._placements.get(key)
        if known is None or known[0] != source:
            sharing = one.source.sharing_video(one.old, key)
            found = place_in_video(source, sharing, key, self._info.fps, self._info.features[key].pixels)
            if found.wrong:
                raise DatasetError(next(iter(found.wrong.values())))
            known = self._placements[key] = source, found
        return known[1]

    def _cut(self, source: Path, one: Placed, key: str, target: str) -> str:
        """Write the part of a shared video that is the episode's; return its digest."""
        old, length, fps, pixels = one.old.videos[key], one.old.length, self._info.fps, self._info.features[key].pixels
        data = cut_video(source, old, length, fps, pixels)
        _write(self._folder, target, data)
        require_same_frames(source, old, inside(self._folder, target), length, fps, pixels)
        return hashlib.sha256(data).hexdigest()


class _Rows:
    """Reads the episodes' statistics from their sets; a file of several rows is read once for consecutive episodes."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._by_episode: dict[int, statistics.Statistics] = {}

    def statistics(self, one: Placed) -> statistics.Statistics:
        """Return the statistics of one episode. Raises DatasetError when its row cannot be read."""
        path = inside(one.source.root, one.old.row_path)
        if path != self._path:
            indices = [row.index for row in read_rows(path, one.source.info)]
            self._by_episode = dict(zip(indices, read_row_statistics(path, one.source.info), strict=True))
            self._path = path
        if one.old.index not in self._by_episode:
            raise DatasetError(f"{path} no longer lists episode {one.old.index}: check the data set")
        return self._by_episode[one.old.index]


def _found(path: Path) -> None:
    if not path.is_file():
        raise DatasetError(f"the file {path} is missing: check the data set")


def _files(root: Path, info: DatasetInfo, episode: Episode) -> list[Path]:
    videos = [info.video_file(key, span.chunk, span.file) for key, span in episode.videos.items()]
    files = [info.data_file(episode.data_chunk, episode.data_file), episode.row_path, *videos]
    return [inside(root, relative) for relative in files]


def _write(folder: Path, relative: str, data: bytes) -> None:
    path = inside(folder, relative)
    make_durable_folder(path.parent, durable=False)
    write_durable(path, data)
