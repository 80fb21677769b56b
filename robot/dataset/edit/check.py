"""Checks a data set file by file: what is sound, what is damaged, and what only has to be renewed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from robot.dataset.edit.check_columns import examine_columns
from robot.dataset.edit.lost_tasks import Tasks, examine_tasks
from robot.dataset.edit.video_placement import misplaced
from robot.dataset.format.bounded_parquet import DATA_FILE, open_parquet
from robot.dataset.format.columns import EPISODE_INDEX, FRAME_INDEX, INDEX, TASK_INDEX, TIMESTAMP
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import BOOKKEEPING, STATS_PATH, DatasetInfo, read_info
from robot.dataset.format.staged_files import leftovers
from robot.dataset.format.staged_folders import beside
from robot.dataset.format.statistics import Statistics, read_statistics
from robot.dataset.format.tables import Episode, lists_tasks, read_rows, row_files, totals_from_rows
from robot.dataset.format.tasks import task_numbers
from robot.dataset.reader import Dataset, read_frames
from robot.dataset.set_quantiles import SetQuantiles
from robot.errors import DatasetError
from robot.system.bounds import MAX_TASKS

TIMESTAMP_TOLERANCE_S = 1e-4  # beyond it the reference library refuses the set
_MOST_NAMED = 8


@dataclass(frozen=True)
class Report:
    """What a check found or a repair did, in words; `episodes` and `frames` count the sound ones.

    remarks: what is no problem and yet worth knowing, such as frames of a video that belong to no episode.
    """

    root: Path
    episodes: int
    frames: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


@dataclass(frozen=True)
class _Seen:
    """A sound episode: its row; the numbers of its frames' tasks; its number and first frame as its data has them."""

    row: Episode
    tasks: Sequence[int]
    place: tuple[int, int]


@dataclass(frozen=True)
class Examination:
    """Everything that a check found, in the form that a repair needs.

    sound: the intact episodes, in the order of their data files, each with the words of all its frames' tasks.
    numbered_off: those of them whose numbers in the row or the data differ from their place. listed_off: those whose
    row does not list these words, with what it lists. damaged, broken_rows: with the reason. orphans: files that no
    row names. tasks: see `Tasks`. unmended: problems that a repair leaves as they are. remarks: as in `Report`.
    """

    info: DatasetInfo
    sound: tuple[Episode, ...]
    numbered_off: tuple[Episode, ...]
    listed_off: tuple[tuple[Episode, tuple[str, ...]], ...]
    damaged: tuple[tuple[Episode, str], ...]
    broken_rows: tuple[tuple[Path, str], ...]
    orphans: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    tasks: Tasks
    totals_off: tuple[str, ...]
    unmended: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of frames in the sound episodes."""
        return sum(episode.length for episode in self.sound)


def check(root: Path) -> Report:
    """Check the set without changing it. Reads every file; no writer may be active meanwhile.

    Raises DatasetError when there is no data set, or none of version v3.0.
    """
    root = Path(root)
    found = examine(root)
    problems = [f"{beside(root)}: left behind by a command that was cut off"] if os.path.isdir(beside(root)) else []
    problems += [f"{_short(root, path)}: left behind by a writer that was cut off" for path in found.leftovers]
    problems += [f"{_short(root, path)}: {why}" for path, why in found.broken_rows]
    problems += [f"episode {episode.index}: {why}" for episode, why in found.damaged]
    problems += [f"{_short(root, path)}: belongs to no episode" for path in found.orphans]
    problems += [f"episode {episode.index}: its numbers do not follow on" for episode in found.numbered_off]
    problems += [f"episode {episode.index}: its row does not list its frames' tasks" for episode, _ in found.listed_off]
    problems += found.unmended
    problems += found.totals_off
    return Report(root, len(found.sound), found.frames, tuple(problems), found.remarks)


def examine(root: Path) -> Examination:
    """Find everything that a check reports and a repair fixes. Raises DatasetError when there is no data set."""
    info = read_info(root)
    rows: list[Episode] = []
    broken_rows: list[tuple[Path, str]] = []
    for path in row_files(root):
        try:
            rows += read_rows(path, info)
        except DatasetError as error:
            broken_rows.append((path, str(error)))
    rows.sort(key=lambda row: (row.data_chunk, row.data_file, row.from_index))
    starts: dict[tuple[int, int], int] = {}
    for row in rows:
        starts.setdefault((row.data_chunk, row.data_file), row.from_index)
    shared = len(starts) != len(rows)
    wrong, remarks = misplaced(root, info, rows)

    seen: list[_Seen] = []
    damaged: list[tuple[Episode, str]] = []
    unread: dict[str, str] = {}
    for row in rows:
        try:
            start = row.from_index - starts[row.data_chunk, row.data_file] if shared else 0
            one = _examine_episode(root, info, row, start, unread, whole_file=not shared)
            if row.index in wrong:
                raise DatasetError(wrong[row.index])
            seen.append(one)
        except DatasetError as error:
            damaged.append((row, str(error)))
    tasks = examine_tasks(root, [(one.tasks, one.row.tasks) for one in seen])
    sound, listed_off = _with_tasks(root, seen, tasks.words)
    numbered_off = _numbered_off(sound, [one.place for one in seen])
    if not (damaged or broken_rows or numbered_off):
        remarks = [*remarks, *_quantiles_off(Dataset(root, info, sound, ()))]
    return Examination(
        info=info,
        sound=tuple(sound),
        numbered_off=tuple(numbered_off),
        listed_off=tuple(listed_off),
        damaged=tuple(damaged),
        broken_rows=tuple(broken_rows),
        orphans=tuple(_orphans(root, info, rows)),
        leftovers=tuple(leftovers(root)),
        tasks=tasks,
        totals_off=tuple(_totals_off(root, info, sound, tasks, rows_readable=not broken_rows)),
        unmended=tuple(_impossible_tasks(seen)),
        remarks=(*remarks, *(f"{name}: {reason}" for name, reason in unread.items())),
    )


def same_statistics(of_rows: Statistics, kept: Statistics) -> bool:
    """Return whether `kept` has the count, extremes and mean of every feature in `of_rows`, up to rounding.

    The bookkeeping columns are not compared: nothing uses their statistics, and other programs merge them carelessly.
    """
    return all(
        name in kept
        and key in kept[name]
        and kept[name][key].shape == values.shape
        and np.allclose(kept[name][key].astype(float), values.astype(float), rtol=1e-6, atol=1e-9)
        for name, entry in of_rows.items()
        for key, values in entry.items()
        if name not in BOOKKEEPING and key in ("count", "min", "max", "mean")
    )


def _examine_episode(
    root: Path, info: DatasetInfo, row: Episode, start: int, unread: dict[str, str], whole_file: bool
) -> _Seen:
    """Return what the data of an episode says of it; add columns of pictures that are not read to `unread`, with why.

    Raises DatasetError when the episode is damaged.
    """
    if row.length < 1:
        raise DatasetError("its row names no frames")
    names = [name for name, feature in info.features.items() if feature.dtype != "video"]
    path = inside(root, info.data_file(row.data_chunk, row.data_file))
    table = read_frames(path, start, row.length, names, verify=True)
    if whole_file and _rows_in(path) != row.length:
        raise DatasetError(f"{_short(root, path)} has {_rows_in(path)} frames, its row says {row.length}")
    unread |= examine_columns(root, info, row, table)
    return _examine_bookkeeping(info, table, row)


def _examine_bookkeeping(info: DatasetInfo, table: pa.Table, row: Episode) -> _Seen:
    counted = np.arange(row.length)
    numbers = {name: table[name].to_numpy() for name in (FRAME_INDEX, INDEX, EPISODE_INDEX, TASK_INDEX)}
    if (numbers[FRAME_INDEX] != counted).any():
        raise DatasetError("its frame_index does not count up from 0")
    # Both as stored: in an episode of more than half an hour, rounding to float32 alone exceeds the tolerance.
    off = table[TIMESTAMP].to_numpy().astype(np.float32) - (counted / info.fps).astype(np.float32)
    if not np.abs(off).max() <= TIMESTAMP_TOLERANCE_S:
        raise DatasetError("its timestamp is not frame_index / fps")
    if (numbers[INDEX] - counted != numbers[INDEX][0]).any():
        raise DatasetError("its index does not count up")
    if (numbers[EPISODE_INDEX] != numbers[EPISODE_INDEX][0]).any():
        raise DatasetError("its frames are of several episodes")
    place = int(numbers[EPISODE_INDEX][0]), int(numbers[INDEX][0])
    return _Seen(row, task_numbers(numbers[TASK_INDEX]), place)


def _with_tasks(
    root: Path, seen: Sequence[_Seen], words: Mapping[int, str]
) -> tuple[list[Episode], list[tuple[Episode, tuple[str, ...]]]]:
    """Return the episodes with the words of their frames' tasks, and those of them whose rows do not list these, with
    what they list.

    Some programs' rows list no tasks at all; nothing is wrong with those.
    """
    episodes: list[Episode] = []
    off: list[tuple[Episode, tuple[str, ...]]] = []
    listing: dict[str, bool] = {}
    for one in seen:
        row = one.row
        wanted = tuple(dict.fromkeys(words[number] for number in one.tasks if number in words))
        if not set(wanted) <= set(row.tasks):
            path = row.row_path
            row = replace(row, tasks=wanted)
            if path not in listing:
                listing[path] = lists_tasks(inside(root, path))
            if listing[path]:
                off.append((row, one.row.tasks))
        episodes.append(row)
    return episodes, off


def _numbered_off(sound: Sequence[Episode], places: Sequence[tuple[int, int]]) -> list[Episode]:
    off = []
    begin = 0
    for number, (row, in_data) in enumerate(zip(sound, places, strict=True)):
        if not (row.index, row.from_index) == in_data == (number, begin):
            off.append(row)
        begin += row.length
    return off


def _impossible_tasks(seen: Sequence[_Seen]) -> list[str]:
    return [
        f"episode {one.row.index}: a frame has the task {number}, and the largest number of a task is {MAX_TASKS - 1}"
        for one in seen
        for number in one.tasks
        if not 0 <= number < MAX_TASKS
    ]


def _orphans(root: Path, info: DatasetInfo, rows: list[Episode]) -> list[Path]:
    named = {root / info.data_file(row.data_chunk, row.data_file) for row in rows}  # compared, not opened
    for row in rows:
        named |= {root / info.video_file(key, span.chunk, span.file) for key, span in row.videos.items()}
    there = [*(root / "data").rglob("*.parquet"), *(root / "videos").rglob("*.mp4")]
    return sorted(path for path in there if path not in named)


def _totals_off(
    root: Path, info: DatasetInfo, sound: Sequence[Episode], tasks: Tasks, rows_readable: bool
) -> list[str]:
    problems = []
    frames = sum(episode.length for episode in sound)
    if (info.total_episodes, info.total_frames) != (len(sound), frames):
        problems.append(
            f"meta/info.json: counts {info.total_episodes} episodes and {info.total_frames} frames; "
            f"{len(sound)} and {frames} are sound"
        )
    if tasks.broken:
        problems.append(f"meta/tasks.parquet: {tasks.broken}")
    elif tasks.lost:
        problems.append(f"meta/tasks.parquet: does not name the tasks {_few(tasks.lost)} of the episodes")
    elif info.total_tasks != len(tasks.named):
        problems.append(f"meta/info.json: counts {info.total_tasks} tasks; there are {len(tasks.named)}")
    try:
        if rows_readable and not same_statistics(totals_from_rows(root, info), read_statistics(root)):
            problems.append("meta/stats.json: not the statistics of the episodes")
    except DatasetError as error:
        problems.append(f"meta/stats.json: {error}")
    return problems


def _quantiles_off(dataset: Dataset) -> list[str]:
    """Return a remark on quantiles that are not those of the data; many programs average those of the episodes."""
    try:
        off = SetQuantiles.of(dataset).differing(read_statistics(dataset.root))
    except DatasetError:
        return []  # a broken file of statistics is among the problems
    if not off:
        return []
    return [
        f"{STATS_PATH}: the quantiles of {', '.join(off)} are not those of the data; `worldarm dataset repair` "
        "computes them again"
    ]


def _few(numbers: Iterable[int]) -> str:
    """Return numbers in words, the first ones of many."""
    first = sorted(numbers)
    return ", ".join(map(str, first[:_MOST_NAMED])) + (" and more" if len(first) > _MOST_NAMED else "")


def _rows_in(path: Path) -> int:
    with open_parquet(path, DATA_FILE) as file:
        return int(file.metadata.num_rows)


def _short(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
