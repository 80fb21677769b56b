"""Reads a data set: its description, and each episode as arrays with decoded pictures.

Reads the sets that worldarm writes, with one file per episode, and those of other programs, with many episodes per
file.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robot.dataset.format.bounded_parquet import DATA_FILE, open_parquet, read_columns
from robot.dataset.format.columns import EPISODE_INDEX, TASK_INDEX
from robot.dataset.format.encoding import decode_picture
from robot.dataset.format.paths import inside
from robot.dataset.format.schema import BOOKKEEPING, DatasetInfo, Feature, read_info
from robot.dataset.format.tables import Episode, VideoSpan, read_episodes
from robot.dataset.format.tasks import by_number, read_tasks, task_numbers
from robot.dataset.format.video_sharing import by_video
from robot.dataset.format.video_span import decode_video, video_frames
from robot.errors import DatasetError
from robot.system.text import printable

Columns = dict[str, npt.NDArray[Any]]
_SHOWN = 300  # characters of a broken file's contents in a message


class Dataset:
    """A data set open for reading; `Dataset.open(root)` makes one. It does not show episodes written after that."""

    def __init__(self, root: Path, info: DatasetInfo, episodes: Iterable[Episode], tasks: Sequence[str]) -> None:
        self.root = root
        self.info = info
        self.episodes = episodes = tuple(episodes)
        self.tasks = tuple(tasks)
        self._file_starts: dict[tuple[int, int], int] = {}
        self._file_frames: Counter[tuple[int, int]] = Counter()
        self._by_video = by_video(episodes)
        for episode in episodes:  # by index, so the first seen is the first in its file
            self._file_starts.setdefault((episode.data_chunk, episode.data_file), episode.from_index)
            self._file_frames[episode.data_chunk, episode.data_file] += episode.length

    @classmethod
    def open(cls, root: Path) -> Dataset:
        """Open the set under `root`. Raises DatasetError when it is absent, empty, half-written or not v3.0."""
        root = Path(root)
        info = read_info(root)
        episodes = read_episodes(root, info)
        if len(episodes) < info.total_episodes:
            raise DatasetError(
                f"{root} is half-written: it should hold {info.total_episodes} episodes and has {len(episodes)}; "
                f"run `worldarm dataset repair {root}`"
            )
        if not episodes:
            raise DatasetError(f"{root} is a data set without an episode: record or generate some first")
        expected = 0
        for number, episode in enumerate(episodes):
            if episode.index != number or episode.from_index != expected:
                raise DatasetError(f"{root} has a gap before episode {number}: run `worldarm dataset repair {root}`")
            expected = episode.to_index
        tasks = read_tasks(root)
        info = info.with_totals(len(episodes), expected, len(tasks))
        opened = cls(root, info, episodes, by_number(tasks))
        if all(episode.tasks for episode in episodes):
            return opened
        return cls(root, info, opened._with_tasks_of_frames(), opened.tasks)

    @property
    def features(self) -> Mapping[str, Feature]:
        """All columns by name, including the bookkeeping ones."""
        return self.info.features

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of frames of each episode, (N,)."""
        return np.array([episode.length for episode in self.episodes], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.episodes)

    def require(self, features: Mapping[str, Feature]) -> None:
        """Raise DatasetError unless each of these is a column of the same shape; pictures may be images or videos."""
        for name, wanted in features.items():
            here = self.features.get(name)
            if here is None:
                raise DatasetError(f"{self.root} has no column {name!r}; it has {', '.join(self.features)}")
            same_type = here.is_picture if wanted.is_picture else here.dtype == wanted.dtype
            if not same_type or here.shape != wanted.shape:
                raise DatasetError(
                    f"the column {name!r} of {self.root} is {here.dtype} {here.shape}; "
                    f"{wanted.dtype} {wanted.shape} is needed"
                )

    def episode(self, index: int, features: Sequence[str] | None = None) -> Columns:
        """Return the columns of one episode of T frames: those named in `features`, or all.

        Numbers: (T, n), or (T,) for a feature of shape (1,). Pictures: (T, H, W, 3) uint8 RGB, or
        (T, H, W, 1) uint8 or uint16, as stored, of a camera with one channel, such as depth.
        Raises DatasetError when the episode or a column is absent, or a file is missing or broken.
        """
        episode = self._require(index)
        names = list(self.features) if features is None else list(features)
        if missing := [name for name in names if name not in self.features]:
            raise DatasetError(f"{self.root} has no column {', '.join(missing)}; it has {', '.join(self.features)}")
        stored = [name for name in names if self.features[name].dtype != "video"]
        table = self._frames(episode, stored)
        columns = {
            name: column_array(name, self.features[name], table[name]) if name in stored else self._video(name, episode)
            for name in names
        }
        for name, column in columns.items():
            if self.features[name].is_picture:
                self._require_declared(name, column.shape[1:])
        return columns

    def frames(self, index: int, name: str) -> Iterator[npt.NDArray[Any]]:
        """Yield the pictures of one episode, as `episode` returns them, decoding each only when it is requested.

        Raises the errors of `episode`, at the first picture that cannot be read.
        """
        if not self.features[name].is_picture:
            raise DatasetError(f"the column {name!r} of {self.root} holds no pictures")
        if self.features[name].dtype == "image":
            column = self._frames(self._require(index), [name])[name]
            for number in range(len(column)):
                picture = column_array(name, self.features[name], column.slice(number, 1))[0]
                self._require_declared(name, picture.shape)
                yield picture
            return
        episode = self._require(index)
        span = episode.videos[name]
        path, feature = self.video_path(name, span), self.features[name]
        for frame in video_frames(path, span, episode.length, self.info.fps, feature.pixels, feature.channels):
            self._require_declared(name, frame.shape)
            yield frame

    def fingerprint(self) -> str:
        """Return a hash of the episodes: their order, lengths, tasks and extras, and the bytes of their files.

        It does not depend on the set's folder and changes with any change to an episode. Reads each file once.
        """
        digest = hashlib.sha256()
        what = {name: [feature.dtype, feature.shape] for name, feature in self.features.items()}
        digest.update(json.dumps([self.info.fps, what, self.tasks]).encode())
        for episode in self.episodes:
            row = [episode.index, episode.length, episode.tasks, sorted(episode.extra.items())]
            digest.update(json.dumps(row).encode())
        for path in self.files():
            digest.update(path.relative_to(self.root).as_posix().encode())
            digest.update(_digest(path))
        return digest.hexdigest()

    def files(self) -> Iterator[Path]:
        """Yield the data and video files of the episodes, each once, in order."""
        relative: dict[str, None] = {}
        for episode in self.episodes:
            relative[self.info.data_file(episode.data_chunk, episode.data_file)] = None
            for key, span in episode.videos.items():
                relative[self.info.video_file(key, span.chunk, span.file)] = None
        yield from (inside(self.root, path) for path in relative)

    def data_path(self, episode: Episode) -> Path:
        """Return the data file of an episode. Raises DatasetError when it lies outside the set."""
        return inside(self.root, self.info.data_file(episode.data_chunk, episode.data_file))

    def video_path(self, key: str, span: VideoSpan) -> Path:
        """Return the video file that holds a span. Raises DatasetError when it lies outside the set."""
        return inside(self.root, self.info.video_file(key, span.chunk, span.file))

    def place_in_file(self, episode: Episode) -> tuple[int, int]:
        """Return the row of an episode's first frame in its data file, and the file's number of rows."""
        file = episode.data_chunk, episode.data_file
        return episode.from_index - self._file_starts[file], self._file_frames[file]

    def sharing_video(self, episode: Episode, key: str) -> list[Episode]:
        """Return the episodes whose video `key` is in the file of this one's, itself among them."""
        span = episode.videos[key]
        return self._by_video[key, span.chunk, span.file]

    def _with_tasks_of_frames(self) -> Iterator[Episode]:
        """Yield the episodes; those whose rows list no tasks, as in some programs' sets, with those of their frames."""
        read: tuple[Path, npt.NDArray[np.generic]] | None = None
        for episode in self.episodes:
            if episode.tasks:
                yield episode
                continue
            path, (start, whole) = self.data_path(episode), self.place_in_file(episode)
            if read is None or read[0] != path:
                column = read_frames(path, 0, whole, [TASK_INDEX])[TASK_INDEX]
                read = path, column_array(TASK_INDEX, BOOKKEEPING[TASK_INDEX], column)
            numbers = task_numbers(read[1][start : start + episode.length])
            yield replace(
                episode, tasks=tuple(self.tasks[number] for number in numbers if 0 <= number < len(self.tasks))
            )

    def _require(self, index: int) -> Episode:
        if not 0 <= index < len(self.episodes):
            raise DatasetError(f"{self.root} has the episodes 0 to {len(self.episodes) - 1}; {index} is not among them")
        return self.episodes[index]

    def _frames(self, episode: Episode, names: Sequence[str]) -> pa.Table:
        path = self.data_path(episode)
        start, _ = self.place_in_file(episode)
        table = read_frames(path, start, episode.length, [*names, EPISODE_INDEX])
        if (table[EPISODE_INDEX].to_numpy() != episode.index).any():
            raise DatasetError(f"{path} holds other frames than those of episode {episode.index}: check the data set")
        return table

    def _video(self, name: str, episode: Episode) -> npt.NDArray[Any]:
        span, feature = episode.videos[name], self.features[name]
        path = self.video_path(name, span)
        return decode_video(path, span, episode.length, self.info.fps, feature.pixels, feature.channels)

    def _require_declared(self, name: str, shape: tuple[int, ...]) -> None:
        """Raise DatasetError when a picture is not of the declared size; some programs declare the width first."""
        if sorted(shape) != sorted(self.features[name].shape):
            raise DatasetError(
                f"the pictures {name!r} of {self.root} have the shape {shape}; {self.features[name].shape} is "
                f"declared: run `worldarm dataset check {self.root}`"
            )


def read_frames(path: Path, start: int, length: int, names: Sequence[str], verify: bool = False) -> pa.Table:
    """Return the rows [start, start + length) of a data file. Raises DatasetError when some are missing."""
    with open_parquet(path, DATA_FILE, verify) as file:
        groups, before, first = [], 0, None
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if before < start + length and before + rows > start:
                groups.append(number)
                first = before if first is None else first
            before += rows
        table = read_columns(file, path, names, groups)
    if absent := [name for name in names if name not in table.column_names]:
        raise DatasetError(f"the data file {path} lacks the columns {', '.join(absent)}")
    frames = table.slice(start - (first or 0), length)
    if len(frames) != length:
        raise DatasetError(f"the data file {path} ends {length - len(frames)} frames too early")
    return frames


def column_array(name: str, feature: Feature, column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return a stored column as an array: pictures decoded, (T,) for shape (1,), else (T, *shape).

    Raises DatasetError when values are missing or not of the feature's type and shape.
    """
    array = column.combine_chunks()
    if array.null_count:
        raise DatasetError(f"the column {name!r} lacks some of its values")
    try:
        return _as_declared(feature, array)
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, pa.ArrowException) as error:
        raise DatasetError(
            f"the column {name!r} is not {printable(feature.dtype, _SHOWN)} of the shape {feature.shape} throughout: "
            f"{printable(str(error), _SHOWN)}"
        ) from error


def _as_declared(feature: Feature, array: pa.Array) -> npt.NDArray[Any]:
    if feature.dtype == "image":
        files = array.field("bytes").to_pylist()
        return np.stack([decode_picture(data or b"", feature.pixels, feature.channels) for data in files])
    if feature.shape == (1,) and not pa.types.is_nested(array.type):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    if pa.types.is_fixed_size_list(array.type) and len(feature.shape) == 1:
        flat = array.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat).reshape(len(array), *feature.shape)
    kind = object if feature.dtype == "string" else feature.dtype
    return np.array(array.to_pylist(), dtype=kind).reshape(len(array), *feature.shape)


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return digest.digest()
