"""Single frames of a data set in any order, as training draws them; bounds memory and the number of open videos."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from robot.dataset.format.columns import INDEX
from robot.dataset.format.tables import Episode
from robot.dataset.reader import Dataset, column_array, read_frames
from robot.dataset.seekable_video import SeekableVideo
from robot.errors import DatasetError

Frame = dict[str, npt.NDArray[Any]]
MOST_OPEN = 64
MOST_BYTES = 256 * 2**20
AHEAD = 4
"""Number of frames that `read` decodes ahead of the one it yields, so that no camera's thread waits for another's."""


@dataclass(frozen=True)
class _PendingFrame:
    """A frame that is being decoded: its numbers and images, and the pending pictures of its videos."""

    known: Frame
    pictures: dict[str, Future[npt.NDArray[Any]]]


class RandomAccess:
    """Reads single frames of a data set by their index in the set; use as a context manager, or call `close`.

    most_open: largest number of video files open at a time; each holds one decoder.
    most_bytes: largest size of the number columns and undecoded pictures kept in memory. Whole files are kept, at least
    one.
    One thread a camera decodes its videos. An instance is for one thread and one process.
    """

    def __init__(self, dataset: Dataset, *, most_open: int = MOST_OPEN, most_bytes: int = MOST_BYTES) -> None:
        cameras = len(dataset.info.video_keys)
        if most_open < max(1, cameras) or most_bytes < 1:
            raise DatasetError(
                f"a file of each of the {cameras} cameras must stay open, and one in memory; {most_open} files and "
                f"{most_bytes} bytes are too few"
            )
        self._dataset = dataset
        self._most_open = most_open
        self._most_bytes = most_bytes
        self._begins = [episode.from_index for episode in dataset.episodes]
        self._stored = [name for name, feature in dataset.features.items() if feature.dtype != "video"]
        self._videos: OrderedDict[tuple[str, int, int], SeekableVideo] = OrderedDict()
        self._tables: OrderedDict[tuple[int, int], tuple[Frame, dict[str, pa.ChunkedArray], int]] = OrderedDict()
        self._bytes = 0
        self._decoders = {name: ThreadPoolExecutor(1) for name in dataset.info.video_keys}

    def __len__(self) -> int:
        return self._dataset.info.total_frames

    def __getitem__(self, index: int) -> Frame:
        """Return every column at one frame: numbers (n,), or () for shape (1,); pictures (H, W, 3) uint8 RGB.

        The values are bit for bit those of `Dataset.episode`. Raises IndexError when `index` is not in the set,
        DatasetError when a file is missing or broken.
        """
        return self._finish(self._begin(index))

    def read(self, order: Iterable[int]) -> Iterator[Frame]:
        """Yield the frames with the indices `order`, as `[]` returns them, and decode the next `AHEAD` meanwhile.

        Raises the errors of `[]`, up to `AHEAD` frames early.
        """
        begun: deque[_PendingFrame] = deque()
        try:
            for index in order:
                begun.append(self._begin(index))
                if len(begun) > AHEAD:
                    yield self._finish(begun.popleft())
            while begun:
                yield self._finish(begun.popleft())
        finally:
            wait([picture for each in begun for picture in each.pictures.values()])

    def close(self) -> None:
        """Close every file and release all memory."""
        for decoder in self._decoders.values():
            decoder.shutdown()
        for video in self._videos.values():
            video.close()
        self._videos.clear()
        self._tables.clear()
        self._bytes = 0

    def __enter__(self) -> RandomAccess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, index: int) -> _PendingFrame:
        """Look up a frame's numbers and start to decode its pictures."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self._dataset.root} has the frames 0 to {len(self) - 1}; {index} is not among them")
        episode = self._dataset.episodes[bisect_right(self._begins, index) - 1]
        number = index - episode.from_index
        values, pictures = self._table(episode)
        row = self._dataset.place_in_file(episode)[0] + number
        frame = {name: column[row] for name, column in values.items()}
        if frame[INDEX] != index:
            raise DatasetError(f"frame {index} of {self._dataset.root} is not where its row says: check the data set")
        for name, column in pictures.items():
            frame[name] = column_array(name, self._dataset.features[name], column.slice(row, 1))[0]
        return _PendingFrame(
            frame,
            {
                name: self._decoders[name].submit(self._video(name, episode).picture, span, number)
                for name, span in episode.videos.items()
            },
        )

    def _finish(self, begun: _PendingFrame) -> Frame:
        wait(begun.pictures.values())  # for all, so that none still runs when one of them raises
        frame = begun.known | {name: picture.result() for name, picture in begun.pictures.items()}
        return {name: frame[name] for name in self._dataset.features}

    def _video(self, name: str, episode: Episode) -> SeekableVideo:
        span = episode.videos[name]
        key = name, span.chunk, span.file
        video = self._videos.get(key)
        if video is None:
            while len(self._videos) >= self._most_open:
                (camera, *_), oldest = self._videos.popitem(last=False)
                self._decoders[camera].submit(oldest.close).result()  # once it has decoded its pending frames
            path = self._dataset.video_path(name, span)
            feature = self._dataset.features[name]
            video = SeekableVideo(path, self._dataset.info.fps, feature.pixels, feature.channels)
            self._videos[key] = video
        self._videos.move_to_end(key)
        return video

    def _table(self, episode: Episode) -> tuple[Frame, dict[str, pa.ChunkedArray]]:
        """Return the columns of the data file that holds an episode: numbers as arrays, pictures as stored."""
        key = episode.data_chunk, episode.data_file
        kept = self._tables.get(key)
        if kept is None:
            path = self._dataset.data_path(episode)
            table = read_frames(path, 0, self._dataset.place_in_file(episode)[1], self._stored)
            while self._tables and self._bytes + table.nbytes > self._most_bytes:
                self._bytes -= self._tables.popitem(last=False)[1][2]
            features = self._dataset.features
            values = {
                name: np.asarray(column_array(name, features[name], table[name]))
                for name in self._stored
                if features[name].dtype != "image"
            }
            pictures = {name: table[name] for name in self._stored if features[name].dtype == "image"}
            kept = self._tables[key] = values, pictures, table.nbytes
            self._bytes += table.nbytes
        self._tables.move_to_end(key)
        return kept[0], kept[1]
