"""Checks whether worldarm wrote a data set, with one file per episode, so that worldarm may append to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robot.dataset.format import statistics
from robot.dataset.format.bounded_parquet import open_parquet
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import BOOKKEEPING, DatasetInfo
from robot.dataset.format.staged_files import replace_file
from robot.dataset.format.tables import (
    EXTRA_PREFIX,
    OWN,
    Episode,
    VideoSpan,
    bookkeeping,
    read_row_statistics,
    row_table,
    to_parquet,
    with_bookkeeping,
)
from robot.errors import DatasetError, RecordingError


def require_own_rows(root: Path, info: DatasetInfo, episodes: Sequence[Episode]) -> None:
    """Raise DatasetError when worldarm did not write the rows of `meta/episodes`; only the last one is examined."""
    if not episodes:
        return
    columns, own = _columns(root, episodes[-1])
    if columns not in ((_of_now(info),) if own else (_of_before(info, episodes[-1]),)):
        raise DatasetError(
            f"{root} was written by another program, and worldarm appends only to its own data sets: "
            f"`worldarm dataset merge NEW {root}` makes it one of them"
        )


def renew_rows(
    root: Path, info: DatasetInfo, episodes: Sequence[Episode], tasks: Sequence[str], durable: bool = True
) -> None:
    """Rewrite rows of earlier versions of worldarm, which had other columns; each atomically, in order.

    worldarm can read a set with rows of both kinds, but other programs cannot. Raises DatasetError when a row is broken
    or names an unknown task, RecordingError when a row cannot be written.
    """
    if all(_columns(root, episode)[1] for episode in (*episodes[:1], *episodes[-1:])):
        return
    numbers = {task: number for number, task in enumerate(tasks)}
    for episode in episodes:
        if _columns(root, episode)[1]:
            continue
        path = root / episode.row_path
        kept = read_row_statistics(path, info)[0]
        if not episode.tasks or episode.tasks[0] not in numbers:
            raise DatasetError(f"{path} names a task that the set does not: run `worldarm dataset repair {root}`")
        made = with_bookkeeping(kept, bookkeeping(info, episode, numbers[episode.tasks[0]]))
        try:
            replace_file(root, episode.row_path, to_parquet(row_table(info, episode, made), lean=True), durable)
        except OSError as error:
            raise RecordingError(f"{path} could not be renewed: {error}") from error


def require_file_an_episode(root: Path, info: DatasetInfo, episodes: Sequence[Episode]) -> None:
    """Raise DatasetError when two episodes share a row file, a data file or a video, as in other programs' sets."""
    places: list[str] = []
    for episode in episodes:
        places += [episode.row_path, info.data_file(episode.data_chunk, episode.data_file)]
        places += [info.video_file(key, span.chunk, span.file) for key, span in episode.videos.items()]
    if len(set(places)) != len(places):
        raise DatasetError(
            f"{root} keeps several episodes to a file, and worldarm changes only sets with one file an episode: "
            f"`worldarm dataset merge NEW {root}` makes such a set of it"
        )


def _columns(root: Path, episode: Episode) -> tuple[list[str], bool]:
    """Return the sorted columns of an episode's row file, and whether it has the marker of this version."""
    with open_parquet(inside(root, episode.row_path), "list of episodes") as file:
        return sorted(file.schema_arrow.names), OWN in (file.metadata.metadata or {})


def _of_now(info: DatasetInfo) -> list[str]:
    probe = Episode(0, 1, (), 0, 0, 0, 0, 0, {key: VideoSpan(0, 0, 0.0, 0.0) for key in info.video_keys})
    blank: statistics.Statistics = {
        name: {
            **dict.fromkeys(statistics.KEYS, np.zeros((3, 1, 1) if feature.is_picture else 1)),
            "count": np.zeros(1, np.int64),
        }
        for name, feature in info.features.items()
    }
    return sorted(row_table(info, probe, blank).column_names)


def _of_before(info: DatasetInfo, last: Episode) -> list[str]:
    """Return the columns of earlier versions: extras were columns, and bookkeeping columns had no statistics."""
    absent = {f"stats/{name}/{key}" for name in BOOKKEEPING for key in statistics.KEYS}
    return sorted({*_of_now(info), *(EXTRA_PREFIX + name for name in last.extra)} - absent)
