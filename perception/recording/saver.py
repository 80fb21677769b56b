"""Encodes pictures during the recording and saves episodes, in its own thread behind a spool."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av.error
import msgspec

from perception.recording.episode_rows import Columns
from perception.recording.spool import IN_MEMORY_BYTES, Spool
from robot.dataset.episode_encoder import EpisodeEncoder
from robot.dataset.format.columns import image_column
from robot.dataset.format.encoding import EncodedEpisode
from robot.dataset.format.recorder_columns import MARKS
from robot.dataset.writer import DatasetWriter
from robot.errors import CameraError, DatasetError, RecordingError
from robot.system.scheduling import lower_priority
from robot.wire.frame_image import picture_of
from robot.wire.messages import Frame

_LOOK_S = 0.2


@dataclass(frozen=True)
class Saved:
    """Episode `index` of the data set is on disk, `after_s` after its end was requested, with `marks`. `warning`
    describes a fault that did not prevent the saving; it is empty when there was none."""

    take: int
    index: int
    after_s: float
    marks: tuple[str, ...]
    warning: str = ""


@dataclass(frozen=True)
class Unsaved:
    """A complete episode could not be written, for the reason `why`; it is kept in memory to be retried or dropped."""

    take: int
    why: str


@dataclass(frozen=True)
class Broken:
    """An episode cannot be completed, for the reason `why`, and is dropped."""

    take: int
    why: str


News: TypeAlias = Saved | Unsaved | Broken


@dataclass(frozen=True)
class _Pictures:
    take: int
    frames: tuple[Frame, ...]  # their picture bytes are the payloads in the spool


@dataclass(frozen=True)
class _Finish:
    take: int
    columns: Columns
    task: str
    marks: tuple[str, ...]
    asked: float


@dataclass(frozen=True)
class _Drop:
    take: int


@dataclass(frozen=True)
class _DropUnsaved:
    pass


@dataclass(frozen=True)
class _Retry:
    pass


@dataclass(frozen=True)
class _End:
    pass


_Job: TypeAlias = _Pictures | _Finish | _Drop | _DropUnsaved | _Retry | _End


class Saver:
    """Saves takes, identified by number, through `writer`, which it owns from then on. It calls `report` with the
    result of each take, in its own thread. Pictures that are not encoded yet wait in memory, and beyond `most_bytes`
    in `folder`."""

    def __init__(
        self, writer: DatasetWriter, folder: Path, report: Callable[[News], None], most_bytes: int = IN_MEMORY_BYTES
    ) -> None:
        self._writer = writer
        self._info = writer.info
        self._report = report
        self._spool: Spool[_Job] = Spool(folder, most_bytes)
        self._encoders: dict[int, EpisodeEncoder] = {}
        self._broken: set[int] = set()
        self._unsaved: deque[tuple[_Finish, EncodedEpisode]] = deque()
        self._thread = threading.Thread(target=self._work, name="saver", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """The number of rows that wait to be encoded."""
        return len(self._spool)

    @property
    def on_disk(self) -> int:
        """The number of these rows that wait on disk."""
        return self._spool.on_disk

    @property
    def alive(self) -> bool:
        """Whether the saver's thread is running."""
        return self._thread.is_alive()

    def add(self, take: int, frames: Sequence[Frame]) -> None:
        """Queue the pictures of the next row. Raises `RecordingError` when there is no space for them."""
        bare = tuple(msgspec.structs.replace(frame, data=b"") for frame in frames)
        try:
            self._spool.put(_Pictures(take, bare), [frame.data for frame in frames])
        except OSError as error:
            raise RecordingError(f"there is no space for pictures that wait to be encoded: {error.strerror}") from error

    def finish(self, take: int, columns: Columns, task: str, marks: Sequence[str], asked: float) -> None:
        """Save the take with the rows `columns`; `asked` is the monotonic time (s) at which its end was requested."""
        self._spool.put(_Finish(take, columns, task, tuple(marks), asked))

    def drop(self, take: int) -> None:
        """Drop a take, complete or not."""
        self._spool.put(_Drop(take))

    def drop_unsaved(self) -> None:
        """Drop the episodes that could not be saved."""
        self._spool.put(_DropUnsaved())

    def retry(self) -> None:
        """Try again to save the episodes that could not be saved."""
        self._spool.put(_Retry())

    def close(self, patience_s: float) -> None:
        """Save the finished takes, drop the others, and end. Raises `RecordingError` when that takes longer than
        `patience_s`; takes not saved by then are lost."""
        self._spool.put(_End())
        self._thread.join(patience_s)
        if self._thread.is_alive():
            raise RecordingError(f"{self._writer.root}: the last episode was not saved within {patience_s:g} s")

    def _work(self) -> None:
        lower_priority()  # to the cameras and the driver: late encoding does no harm, a late capture does
        try:
            while True:
                item = self._spool.take(_LOOK_S)
                if item is None:
                    continue
                job, payloads = item
                if isinstance(job, _End):
                    return
                self._do(job, payloads)
        finally:
            for encoder in self._encoders.values():
                encoder.close()
            self._spool.close()
            self._writer.close()

    def _do(self, job: _Job, payloads: Sequence[bytes]) -> None:
        if isinstance(job, _Pictures):
            if job.take not in self._broken:
                self._encode(job, payloads)
        elif isinstance(job, _Finish):
            if job.take not in self._broken:
                self._finish(job)
        elif isinstance(job, _Drop):
            self._forget(job.take)
        elif isinstance(job, _DropUnsaved):
            self._unsaved.clear()
        elif isinstance(job, _Retry):
            waiting, self._unsaved = self._unsaved, deque()
            for finish, encoded in waiting:
                self._save(finish, encoded)

    def _encode(self, job: _Pictures, payloads: Sequence[bytes]) -> None:
        try:
            pictures = {
                image_column(frame.camera.name): picture_of(msgspec.structs.replace(frame, data=data))
                for frame, data in zip(job.frames, payloads, strict=True)
            }
            if job.take not in self._encoders:
                self._encoders[job.take] = EpisodeEncoder(self._info.features, self._info.fps)
            self._encoders[job.take].add(pictures)
        except (CameraError, DatasetError, av.error.FFmpegError) as error:
            self._break(job.take, f"a picture cannot be recorded: {error}")

    def _finish(self, job: _Finish) -> None:
        encoder = self._encoders.pop(job.take)
        try:
            encoded = encoder.finish(job.columns)
        except (DatasetError, av.error.FFmpegError) as error:
            self._break(job.take, f"it cannot be encoded: {error}")
            return
        finally:
            encoder.close()
        self._save(job, encoded)

    def _save(self, job: _Finish, encoded: EncodedEpisode) -> None:
        before = self._writer.info.total_episodes
        warning = ""
        try:
            self._writer.save_encoded(encoded, job.task, {MARKS: job.marks})
        except DatasetError as error:
            self._break(job.take, str(error))
            return
        except RecordingError as error:
            if self._writer.info.total_episodes == before:
                self._unsaved.append((job, encoded))
                self._report(Unsaved(job.take, str(error)))
                return
            warning = str(error)
        self._report(Saved(job.take, before, time.monotonic() - job.asked, job.marks, warning))

    def _break(self, take: int, why: str) -> None:
        self._forget(take)
        self._broken.add(take)
        self._report(Broken(take, why))

    def _forget(self, take: int) -> None:
        encoder = self._encoders.pop(take, None)
        if encoder is not None:
            encoder.close()
