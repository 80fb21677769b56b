"""The parquet files of a data set as tables: an episode's frames, and its row in `meta/episodes`.

Other programs append to a set only if all its rows have exactly their own columns. So a row has just those columns;
the extras that worldarm stores with an episode are in the key-value metadata of the row file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from robot.dataset.format.bounded_parquet import open_parquet, read_columns, require_few_rows
from robot.dataset.format.columns import EPISODE_INDEX, FRAME_INDEX, INDEX, TASK_INDEX, TIMESTAMP
from robot.dataset.format.encoding import EncodedEpisode
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import EPISODES_PATH, DatasetInfo, Feature
from robot.dataset.format.statistics import KEYS, Statistics, as_numbers, merge, vector_statistics
from robot.dataset.format.tasks import task_words
from robot.errors import DatasetError
from robot.system.bounds import MAX_EPISODE_FRAMES, MAX_EPISODES, MAX_FILE_NUMBER, MAX_FRAMES
from robot.system.text import printable

ExtraValue = bool | int | float | str | tuple[str, ...]
Extra = Mapping[str, ExtraValue]
OWN = b"worldarm.extra"  # a row file of one episode: its extras as JSON; each file that worldarm writes has it
DIGESTS = b"worldarm.video_sha256"  # the same: the SHA-256 digest of each of its videos, which have no checksums
EXTRA_PREFIX = "extra/"  # of the columns that held the extras in earlier versions
_LIST = "list of episodes"
_SHOWN = 300  # characters of a broken file's contents in a message
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SCALARS = {"float32": pa.float32(), "int64": pa.int64(), "bool": pa.bool_()}
_TEXTS = pa.list_(pa.string())
_FLOATS = pa.list_(pa.float64())
_COUNT = pa.list_(pa.int64())
_CHANNELS = pa.list_(pa.list_(pa.list_(pa.float64())))


@dataclass(frozen=True)
class VideoSpan:
    """Where one episode's frames are in a video file; times in seconds."""

    chunk: int
    file: int
    from_timestamp: float
    to_timestamp: float


@dataclass(frozen=True)
class Episode:
    """One episode's row: what it is and where its files lie.

    tasks: the words of its frames' tasks, in any order, as the row lists them; none when it lists none.
    from_index: index of its first frame in the whole set.
    extra: what the caller of the writer stored with it.
    digests: SHA-256 of the file of each video, in hexadecimal digits; empty in sets that were written without them.
    row_chunk, row_file: the file in `meta/episodes` that holds the row.
    """

    index: int
    length: int
    tasks: tuple[str, ...]
    from_index: int
    data_chunk: int
    data_file: int
    row_chunk: int
    row_file: int
    videos: Mapping[str, VideoSpan] = field(default_factory=dict)
    extra: Extra = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def to_index(self) -> int:
        """Index of the first frame after the episode."""
        return self.from_index + self.length

    @property
    def row_path(self) -> str:
        """Path of the episode's row file, relative to the set."""
        return EPISODES_PATH.format(chunk_index=self.row_chunk, file_index=self.row_file)


def bookkeeping(info: DatasetInfo, episode: Episode, task_index: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return the bookkeeping columns, (T,) each, of an episode with one task."""
    frame_index = np.arange(episode.length, dtype=np.int64)
    return {
        TIMESTAMP: (frame_index / info.fps).astype(np.float32),
        FRAME_INDEX: frame_index,
        EPISODE_INDEX: np.full(episode.length, episode.index, dtype=np.int64),
        INDEX: episode.from_index + frame_index,
        TASK_INDEX: np.full(episode.length, task_index, dtype=np.int64),
    }


def frames_table(
    info: DatasetInfo, encoded: EncodedEpisode, numbers: Mapping[str, npt.NDArray[np.generic]]
) -> pa.Table:
    """Return the data file of an episode: all columns but the videos, including the bookkeeping `numbers`."""
    arrays: dict[str, pa.Array] = {}
    for name, feature in info.features.items():
        if feature.dtype == "image":
            arrays[name] = _picture_array(encoded.images[name])
        elif feature.dtype != "video":
            arrays[name] = _vector_array(feature, numbers.get(name, encoded.vectors.get(name)))
    return pa.table(arrays)


def row_table(info: DatasetInfo, episode: Episode, statistics: Statistics) -> pa.Table:
    """Return the row of an episode in `meta/episodes`, as a table of one row, with its statistics.

    statistics: of all columns; those of the bookkeeping columns change with the episode's number.
    """
    plain: dict[str, tuple[Any, pa.DataType]] = {
        EPISODE_INDEX: (episode.index, pa.int64()),
        "tasks": (list(episode.tasks), _TEXTS),
        "length": (episode.length, pa.int64()),
        "data/chunk_index": (episode.data_chunk, pa.int64()),
        "data/file_index": (episode.data_file, pa.int64()),
        "dataset_from_index": (episode.from_index, pa.int64()),
        "dataset_to_index": (episode.to_index, pa.int64()),
    }
    for key, span in episode.videos.items():
        plain[f"videos/{key}/chunk_index"] = (span.chunk, pa.int64())
        plain[f"videos/{key}/file_index"] = (span.file, pa.int64())
        plain[f"videos/{key}/from_timestamp"] = (span.from_timestamp, pa.float64())
        plain[f"videos/{key}/to_timestamp"] = (span.to_timestamp, pa.float64())
    counted = {name: feature for name, feature in info.features.items() if feature.dtype != "string"}
    if lacking := [name for name in counted if not statistics.get(name, {}).keys() >= set(KEYS)]:
        raise DatasetError(
            f"episode {episode.index} lacks statistics of {', '.join(lacking)}: have the program that wrote the data "
            "set compute them again"
        )
    for name, feature in counted.items():
        values = _CHANNELS if feature.is_picture else _FLOATS
        for key in KEYS:
            plain[f"stats/{name}/{key}"] = (statistics[name][key].tolist(), _COUNT if key == "count" else values)
    plain["meta/episodes/chunk_index"] = (episode.row_chunk, pa.int64())
    plain["meta/episodes/file_index"] = (episode.row_file, pa.int64())
    row = pa.table({name: pa.array([value], type=kind) for name, (value, kind) in plain.items()})
    own = {OWN: json.dumps(episode.extra, ensure_ascii=False)}
    if episode.digests:
        own[DIGESTS] = json.dumps(dict(episode.digests))
    return row.replace_schema_metadata(own)


def with_bookkeeping(statistics: Statistics, numbers: Mapping[str, npt.NDArray[np.generic]]) -> Statistics:
    """Return an episode's statistics, with those of its bookkeeping columns computed again."""
    return {**statistics, **vector_statistics(numbers)}


def lists_tasks(path: Path) -> bool:
    """Return whether the rows in a file of `meta/episodes` list tasks at all; some programs leave the column out."""
    with open_parquet(path, _LIST) as file:
        return "tasks" in file.schema_arrow.names


def with_tasks(path: Path, tasks: Mapping[int, Sequence[str]]) -> bytes:
    """Return the file of `meta/episodes` at `path` with other `tasks` in the rows of these episodes."""
    with open_parquet(path, _LIST) as file:
        require_few_rows(file, path)
        table = read_columns(file, path)
        own = {key: value for key, value in (file.metadata.metadata or {}).items() if key in (OWN, DIGESTS)}
    listed = zip(table[EPISODE_INDEX].to_pylist(), table["tasks"].to_pylist(), strict=True)
    column = pa.array([list(tasks[index]) if index in tasks else words for index, words in listed], _TEXTS)
    table = table.set_column(table.column_names.index("tasks"), "tasks", column)
    return to_parquet(table.replace_schema_metadata({**(table.schema.metadata or {}), **own}), lean=bool(own))


def renumbered(table: pa.Table, columns: Mapping[str, npt.NDArray[np.int64]]) -> pa.Table:
    """Return the table with its whole-number columns replaced by `columns`."""
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.int64()))
    return table


def to_parquet(table: pa.Table, lean: bool = False) -> bytes:
    """Return a table as the bytes of a parquet file, in one row group, with checksums that reveal a damaged page.

    lean: leave out the column ranges and the Arrow schema, which for a row of many columns are half of the file.
    """
    sink = pa.BufferOutputStream()
    kept = table.schema.metadata if lean else None  # the rest keep it with the Arrow schema
    table = table.replace_schema_metadata() if lean else table
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="snappy",
        use_dictionary=False,
        write_page_checksum=True,
        write_statistics=not lean,
        store_schema=not lean,
    ) as writer:
        writer.write_table(table, row_group_size=len(table))
        if kept:
            writer.add_key_value_metadata(kept)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def row_files(root: Path) -> list[Path]:
    """Return the files of `meta/episodes`, in order."""
    return [inside(root, path.relative_to(root)) for path in sorted((root / "meta/episodes").glob("*/*.parquet"))]


def read_episodes(root: Path, info: DatasetInfo) -> list[Episode]:
    """Read all committed episodes, ordered by index. Raises DatasetError when a row file is broken."""
    episodes = [episode for path in row_files(root) for episode in read_rows(path, info)]
    return sorted(episodes, key=lambda episode: episode.index)


def read_rows(path: Path, info: DatasetInfo) -> list[Episode]:
    """Read the episodes in one file of `meta/episodes`. Raises DatasetError when it is broken."""
    with open_parquet(path, _LIST) as file:
        require_few_rows(file, path)
        names = [name for name in file.schema_arrow.names if not name.startswith("stats/")]
        rows = read_columns(file, path, names)
        metadata = file.metadata.metadata
    try:
        found = rows.to_pylist()
        extra, digests = _own(OWN, metadata, len(found)), _own(DIGESTS, metadata, len(found))
        chunk, number = (int(part.rsplit("-", 1)[1]) for part in (path.parent.name, path.stem))
        return [_episode(row, info.video_keys, chunk, number, extra, digests) for row in found]
    except (
        pa.ArrowException,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise DatasetError(f"{path} is not a readable {_LIST}: {printable(repr(error), _SHOWN)}") from error


def read_row_statistics(path: Path, info: DatasetInfo) -> list[Statistics]:
    """Read the statistics in one file of `meta/episodes`, one entry per row; features without them are left out."""
    with open_parquet(path, _LIST) as file:
        require_few_rows(file, path)
        rows = read_columns(file, path)
    try:
        return row_statistics(rows, info.features)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a readable {_LIST}: {printable(repr(error), _SHOWN)}") from error


def read_statistics_of(root: Path, names: Sequence[str]) -> dict[int, Statistics]:
    """Read the statistics of the columns `names` of each episode, by its index; see `read_row_statistics`."""
    found: dict[int, Statistics] = {}
    for path in row_files(root):
        with open_parquet(path, _LIST) as file:
            require_few_rows(file, path)
            stored = [f"stats/{name}/{key}" for name in names for key in KEYS]
            there = set(file.schema_arrow.names)
            rows = read_columns(file, path, [EPISODE_INDEX, *(column for column in stored if column in there)])
            found |= zip(rows[EPISODE_INDEX].to_pylist(), row_statistics(rows, names), strict=True)
    return found


def row_statistics(rows: pa.Table, names: Iterable[str]) -> list[Statistics]:
    """Return the statistics of the columns `names` in these rows of `meta/episodes`; see `read_row_statistics`. Raises
    ValueError for one that is not numbers."""
    return [
        {
            name: {key: as_numbers(row[f"stats/{name}/{key}"]) for key in KEYS if f"stats/{name}/{key}" in row}
            for name in names
            if f"stats/{name}/count" in row
        }
        for row in rows.to_pylist()
    ]


def totals_from_rows(root: Path, info: DatasetInfo) -> Statistics:
    """Return the whole set's statistics, merged from those of its rows. Raises DatasetError when a row is broken."""
    totals: Statistics = {}
    for path in row_files(root):
        for row in read_row_statistics(path, info):
            totals = merge(totals, row)
    return totals


def covers(info: DatasetInfo, totals: Statistics, frames: int) -> bool:
    """Return whether the statistics `totals` cover all features and `frames` frames; pictures, which are sampled, are
    not counted."""
    if not frames:
        return not totals
    vectors = [name for name, feature in info.features.items() if not feature.is_picture]
    return totals.keys() >= info.features.keys() and all(
        "count" in totals[name] and totals[name]["count"][0] == frames for name in vectors
    )


def check_extra(extra: Mapping[str, object]) -> Extra:
    """Return `extra` as it is stored. Raises DatasetError for a value that is not bool, int, float, str or list of
    str."""
    checked: dict[str, ExtraValue] = {}
    for name, value in extra.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, (list, tuple)) and all(isinstance(word, str) for word in plain):
            checked[name] = tuple(plain)
        elif isinstance(plain, (bool, int, float, str)):
            checked[name] = plain
        else:
            raise DatasetError(
                f"the extra {name!r} must be a bool, int, float, str or list of str; it is {type(value).__name__}"
            )
    return checked


def _own(key: bytes, metadata: Mapping[bytes, bytes] | None, rows: int) -> dict[str, Any]:
    """Return what a row file written by worldarm holds under `key` for its one row."""
    if not metadata or key not in metadata or rows != 1:
        return {}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(metadata[key]).items()
    }


def _whole(row: Mapping[str, Any], name: str, most: int) -> int:
    """Return a number of a row. Raises ValueError when it is not from 0 to `most`."""
    number = int(row[name])
    if not 0 <= number <= most:
        raise ValueError(f"{name} is {number}, and must be from 0 to {most}")
    return number


def _seconds(row: Mapping[str, Any], name: str) -> float:
    """Return a time of a row. Raises ValueError when it is not a possible one."""
    seconds = float(row[name])
    if not math.isfinite(seconds) or not 0 <= seconds <= MAX_FRAMES:
        raise ValueError(f"{name} is {seconds} s")
    return seconds


def _tasks(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tasks that a row lists; none when it lists none, as in some programs' sets."""
    listed = row.get("tasks")
    words = [listed] if isinstance(listed, str) else listed or []
    return tuple(task_words(each) for each in words if each is not None)


def _episode(
    row: Mapping[str, Any],
    video_keys: Sequence[str],
    chunk: int,
    number: int,
    extra: Extra,
    digests: Mapping[str, str],
) -> Episode:
    return Episode(
        index=_whole(row, EPISODE_INDEX, MAX_EPISODES),
        length=_whole(row, "length", MAX_EPISODE_FRAMES),
        tasks=_tasks(row),
        from_index=_whole(row, "dataset_from_index", MAX_FRAMES),
        data_chunk=_whole(row, "data/chunk_index", MAX_FILE_NUMBER),
        data_file=_whole(row, "data/file_index", MAX_FILE_NUMBER),
        row_chunk=chunk,
        row_file=number,
        videos={
            key: VideoSpan(
                chunk=_whole(row, f"videos/{key}/chunk_index", MAX_FILE_NUMBER),
                file=_whole(row, f"videos/{key}/file_index", MAX_FILE_NUMBER),
                from_timestamp=_seconds(row, f"videos/{key}/from_timestamp"),
                to_timestamp=_seconds(row, f"videos/{key}/to_timestamp"),
            )
            for key in video_keys
        },
        digests=dict(digests),
        extra={
            **extra,
            **{
                name.removeprefix(EXTRA_PREFIX): tuple(value) if isinstance(value, list) else value
                for name, value in row.items()
                if name.startswith(EXTRA_PREFIX)
            },
        },
    )


def _picture_array(pictures: Sequence[bytes]) -> pa.Array:
    paths = pa.nulls(len(pictures), pa.string())
    return pa.StructArray.from_arrays([pa.array(pictures, pa.binary()), paths], fields=list(_IMAGE))


def _vector_array(feature: Feature, values: npt.NDArray[np.generic] | None) -> pa.Array:
    if values is None:
        raise DatasetError(f"the episode was encoded for other features than the data set's: {feature} is missing")
    flat = pa.array(values.reshape(-1), type=_SCALARS[feature.dtype])
    return flat if feature.shape == (1,) else pa.FixedSizeListArray.from_arrays(flat, feature.shape[0])
