"""Repairs a data set after a crash or a disk error: intact episodes stay, in order; the rest is moved to `damaged/`.

It may be interrupted and run again: every file is replaced atomically, and an episode of which only the row or only the
data was renumbered is still recognised by its files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from robot.dataset.edit.check import Examination, Report, examine, same_statistics
from robot.dataset.format.bounded_parquet import DATA_FILE, open_parquet, read_columns
from robot.dataset.format.columns import EPISODE_INDEX, INDEX
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import BOOKKEEPING, INFO_PATH, STATS_PATH, TASKS_PATH, DatasetInfo, read_info
from robot.dataset.format.staged_files import lock_folder, replace_file
from robot.dataset.format.staged_folders import beside, clear_beside
from robot.dataset.format.statistics import read_statistics, to_json
from robot.dataset.format.tables import (
    Episode,
    read_episodes,
    read_row_statistics,
    renumbered,
    row_table,
    to_parquet,
    totals_from_rows,
    with_bookkeeping,
    with_tasks,
)
from robot.dataset.format.tasks import by_number, read_tasks, tasks_table, with_more_tasks
from robot.dataset.format.video_sharing import by_video
from robot.dataset.reader import Dataset
from robot.dataset.set_quantiles import SetQuantiles
from robot.errors import DatasetError, RecordingError

DAMAGED = Path("damaged")


def repair(root: Path) -> Report:
    """Repair the set under `root`; the report says what was done, and how many episodes are intact.

    Raises DatasetError, with nothing changed, when there is no data set, when another process is writing it, when it
    keeps several episodes per file and more than its totals needs repair, or when none of several episodes is intact;
    RecordingError when the disk cannot be written.
    """
    root = Path(root)
    read_info(root)
    lock = lock_folder(root)
    try:
        return _mend(root, examine(root))
    except OSError as error:
        raise RecordingError(f"{root} could not be mended: {error}") from error
    finally:
        os.close(lock)


def _mend(root: Path, found: Examination) -> Report:
    if (found.damaged or found.numbered_off or found.broken_rows) and _several_to_a_file(found):
        raise DatasetError(
            f"{root} keeps several episodes to a file, and worldarm mends only one file an episode: "
            "mend it with the program that wrote it"
        )
    _refuse_when_all_is_lost(root, found)
    done = _clear_beside(root)
    done += _move(root, found.leftovers, "left behind by a writer that was cut off")
    for path, why in found.broken_rows:
        done += _move(root, [path], why)
    for episode, why in found.damaged:
        done += _move(root, _episode_files(root, found.info, episode), f"episode {episode.index}: {why}")
    done += _move(root, found.orphans, "belongs to no episode")
    done += _mend_tasks(root, found)
    done += _mend_lists(root, found)
    begin = 0
    off = {episode.row_path for episode in found.numbered_off}
    for number, episode in enumerate(found.sound):
        if episode.row_path in off:
            _renumber(root, found.info, episode, number, begin)
            done.append(f"episode {episode.index} is now episode {number}, its first frame {begin}")
        begin += episode.length
    done += _mend_statistics(root, found.info)
    known = found.info.with_totals(len(found.sound), begin, len(read_tasks(root)))
    if known != found.info:
        replace_file(root, INFO_PATH, known.to_json())
        done.append(f"{INFO_PATH} now counts {len(found.sound)} episodes and {begin} frames")
    done += [f"{problem}: left as it is" for problem in found.unmended]
    return Report(root, len(found.sound), begin, tuple(done))


def _refuse_when_all_is_lost(root: Path, found: Examination) -> None:
    """Raise DatasetError when all of several episodes seem damaged: the cause is then not a crash or a disk error."""
    reasons = [f"episode {episode.index}: {why}" for episode, why in found.damaged]
    reasons += [why for _, why in found.broken_rows]
    lost = max(found.info.total_episodes, len(reasons))
    if found.sound or lost < 2:
        return
    first = reasons[0] if reasons else "meta/episodes lists none"
    raise DatasetError(
        f"not one of the {lost} episodes of {root} is whole, so nothing was moved: see whether {INFO_PATH} is right "
        f"and the copy complete; {first}"
    )


def _several_to_a_file(found: Examination) -> bool:
    episodes = [*found.sound, *(episode for episode, _ in found.damaged)]
    data = {(episode.data_chunk, episode.data_file) for episode in episodes}
    rows = {(episode.row_chunk, episode.row_file) for episode in episodes}
    videos = by_video(episodes).values()
    return min(len(data), len(rows)) != len(episodes) or any(len(sharing) > 1 for sharing in videos)


def _episode_files(root: Path, info: DatasetInfo, episode: Episode) -> list[Path]:
    videos = [info.video_file(key, span.chunk, span.file) for key, span in episode.videos.items()]
    # The row first: without it, the others are no longer part of the set.
    files = [episode.row_path, info.data_file(episode.data_chunk, episode.data_file), *videos]
    return [inside(root, relative) for relative in files]


def _clear_beside(root: Path) -> list[str]:
    # Its episodes are copies of the set's, or were deleted by a command that only lacked this last step.
    return [f"{beside(root)} removed: left behind by a command that was cut off"] if clear_beside(root) else []


def _move(root: Path, paths: Iterable[Path], why: str) -> list[str]:
    done = []
    for path in paths:
        if not path.exists():
            continue
        relative = path.relative_to(root)
        target = inside(root, DAMAGED / relative)
        copies = 0
        while target.exists():
            copies += 1
            target = inside(root, DAMAGED / relative.with_name(f"{relative.name}.{copies}"))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
        done.append(f"{relative.as_posix()} moved to {target.relative_to(root).as_posix()}: {why}")
    return done


def _renumber(root: Path, info: DatasetInfo, episode: Episode, number: int, begin: int) -> None:
    """Write the episode's number and first frame into its data and its row."""
    data = info.data_file(episode.data_chunk, episode.data_file)
    place = {EPISODE_INDEX: np.full(episode.length, number), INDEX: begin + np.arange(episode.length)}
    path = inside(root, data)
    with open_parquet(path, DATA_FILE) as file:
        stored = read_columns(file, path, list(BOOKKEEPING))
        before = {name: stored[name].to_numpy() for name in BOOKKEEPING}
        if any((before[name] != values).any() for name, values in place.items()):
            replace_file(root, data, to_parquet(renumbered(read_columns(file, path), place)))
    if (episode.index, episode.from_index) != (number, begin):
        own = with_bookkeeping(read_row_statistics(root / episode.row_path, info)[0], {**before, **place})
        row = row_table(info, replace(episode, index=number, from_index=begin), own)
        replace_file(root, episode.row_path, to_parquet(row, lean=True))


def _mend_tasks(root: Path, found: Examination) -> list[str]:
    """Add the tasks that the list lacks; those that it names keep their words. A broken list is made again."""
    tasks = found.tasks
    if not tasks.lost and not tasks.broken:
        return []
    done = _move(root, [inside(root, TASKS_PATH)], tasks.broken) if tasks.broken else []
    # Other programs take a task's place in the list for its number.
    added = {number: words for number, words in enumerate(by_number(tasks.words)) if number not in tasks.named}
    table = tasks_table(added) if tasks.broken else with_more_tasks(root, added)
    replace_file(root, TASKS_PATH, to_parquet(table))
    return [*done, f"{TASKS_PATH} names {len(added)} more tasks"]


def _mend_lists(root: Path, found: Examination) -> list[str]:
    """Let the rows list the tasks of their frames."""
    off: dict[str, dict[int, tuple[str, ...]]] = {}
    for episode, _ in found.listed_off:
        off.setdefault(episode.row_path, {})[episode.index] = episode.tasks
    for path, tasks in off.items():
        replace_file(root, path, with_tasks(inside(root, path), tasks))
    return [
        f"episode {episode.index} now lists its frames' tasks, {_quoted(episode.tasks)}; it listed {_quoted(listed)}"
        for episode, listed in found.listed_off
    ]


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(map(repr, words)) or "none"


def _mend_statistics(root: Path, info: DatasetInfo) -> list[str]:
    totals = totals_from_rows(root, info)
    try:
        kept = read_statistics(root)
    except DatasetError:
        kept = {}  # rewritten below
    quantiles = SetQuantiles.of(Dataset(root, info, read_episodes(root, info), ()))
    same = same_statistics(totals, kept) and not quantiles.differing(kept)
    if same and (kept or not (root / STATS_PATH).exists()):
        return []
    replace_file(root, STATS_PATH, to_json({**kept, **quantiles.put_into(totals)} if totals else {}))
    return [f"{STATS_PATH} rewritten"]
