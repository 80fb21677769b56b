"""Whether a data set is laid out as worldarm writes it, one file an episode, and so may be written on by worldarm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robot.dataset import statistics
from robot.dataset.schema import DatasetInfo
from robot.dataset.tables import Episode, row_table
from robot.errors import DatasetError


def require_own_rows(root: Path, info: DatasetInfo, episodes: Sequence[Episode]) -> None:
    """Raise DatasetError when the rows of `meta/episodes` have other columns than worldarm's, judged by the last."""
    if not episodes:
        return
    last = episodes[-1]
    probe = row_table(info, last, _no_statistics(info))
    try:
        with pq.ParquetFile(root / last.row_path) as file:
            there = set(file.schema_arrow.names)
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{root / last.row_path} is not a readable list of episodes: {error!r}") from error
    if there != set(probe.column_names):
        raise DatasetError(f"{root} was written by another program, and worldarm writes on only its own data sets")


def require_file_an_episode(root: Path, info: DatasetInfo, episodes: Sequence[Episode]) -> None:
    """Raise DatasetError when two episodes share a row file, a data file or a video, as other programs have them."""
    places: list[str] = []
    for episode in episodes:
        places += [episode.row_path, info.data_file(episode.data_chunk, episode.data_file)]
        places += [info.video_file(key, span.chunk, span.file) for key, span in episode.videos.items()]
    if len(set(places)) != len(places):
        raise DatasetError(
            f"{root} keeps several episodes to a file, and worldarm takes apart and joins only sets with one file an "
            "episode, as it writes them itself"
        )


def _no_statistics(info: DatasetInfo) -> statistics.Statistics:
    vectors = {name: np.zeros((1, *f.shape)) for name, f in info.user_features.items() if not f.is_picture}
    pictures = {name: np.zeros((1, 1, 1, 3), np.uint8) for name, f in info.user_features.items() if f.is_picture}
    found = statistics.vector_statistics(vectors)
    return {**found, **{name: statistics.picture_statistics(frames) for name, frames in pictures.items()}}
