"""Writes a data set: each saved episode is committed completely, by a single rename, or not at all.

Each episode has files of its own. All files are first written under temporary names, so that a full disk shows before
anything changes. Then the data and videos are renamed to their places, and last the episode's row in `meta/episodes`:
that rename is the commit. The totals and statistics follow; they can be derived from the rows, and `open` renews them
after a crash in between. Data without a row is not part of the set, and the next episode replaces it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy.typing as npt

from robot.dataset.format import statistics
from robot.dataset.format.encoding import EncodedEpisode, encode_episode
from robot.dataset.format.ownership import renew_rows, require_own_rows
from robot.dataset.format.schema import (
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    DatasetInfo,
    Feature,
    describe_feature,
    new_info,
    read_info,
    same_kind,
    validate_feature,
)
from robot.dataset.format.staged_files import SUFFIX, Staging, lock_folder, replace_file
from robot.dataset.format.tables import (
    Episode,
    Extra,
    VideoSpan,
    bookkeeping,
    check_extra,
    covers,
    frames_table,
    read_episodes,
    row_table,
    to_parquet,
    totals_from_rows,
    with_bookkeeping,
)
from robot.dataset.format.tasks import by_number, read_tasks, tasks_table
from robot.dataset.reader import Dataset
from robot.dataset.set_quantiles import SetQuantiles
from robot.errors import DatasetError, RecordingError
from robot.system.files import sync


class DatasetWriter:
    """Appends episodes to the data set under `root`; use as a context manager, or call `close`.

    A set has one writer at a time. Several processes that generate episodes call `encode_episode` each and send the
    result to the process that has the writer, which calls `save_encoded`.

    durable: each episode reaches the disk before `save_episode` returns, so that it survives a power cut. Without it an
    episode survives the death of the process at any instant, and saving does not wait for the disk.
    """

    def __init__(
        self,
        root: Path,
        info: DatasetInfo,
        episodes: Sequence[Episode],
        tasks: Sequence[str],
        totals: statistics.Statistics,
        quantiles: SetQuantiles,
        lock: int,
        durable: bool,
    ) -> None:
        self.root = root
        self._info = info
        self._last = episodes[-1] if episodes else None
        self._tasks = list(tasks)
        self._totals = totals
        self._quantiles = quantiles
        self._lock: int | None = lock
        self._durable = durable

    @classmethod
    def create(
        cls,
        root: Path,
        fps: int,
        features: Mapping[str, Feature],
        robot_type: str | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        durable: bool = True,
    ) -> DatasetWriter:
        """Make a new, empty set in a folder that is absent or empty.

        Raises DatasetError when the folder holds something or a feature cannot be stored; RecordingError when the
        folder cannot be written.
        """
        root = Path(root)
        info = new_info(fps, features, robot_type, metadata)
        if (root / INFO_PATH).exists():
            raise DatasetError(f"{root} already holds a data set: open it to append, or choose another folder")
        try:
            root.mkdir(parents=True, exist_ok=True)
            lock = lock_folder(root)
            try:
                if any(path.is_file() and path.suffix != SUFFIX for path in root.rglob("*")):
                    raise DatasetError(f"{root} holds files but no data set: choose another folder")
                replace_file(root, INFO_PATH, info.to_json(), durable)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise RecordingError(f"no data set can be made at {root}: {error}") from error
        return cls(root, info, [], [], {}, SetQuantiles(), lock, durable)

    @classmethod
    def open(
        cls,
        root: Path,
        fps: int | None = None,
        features: Mapping[str, Feature] | None = None,
        *,
        durable: bool = True,
    ) -> DatasetWriter:
        """Open an existing set to append to it. Totals and statistics that are out of date after a crash are renewed.

        fps, features: when given, what the caller is about to write. Raises DatasetError when the set has others, and
        when it is absent, broken, in use, or written by another program. The numbers of all frames are read, for the
        quantiles.
        """
        root = Path(root)
        info = read_info(root)
        _refuse_others(root, info, fps, features)
        lock = lock_folder(root)
        try:
            episodes = read_episodes(root, info)
            tasks = by_number(read_tasks(root))
            _refuse_gaps(root, info, episodes)
            renew_rows(root, info, episodes, tasks, durable)
            frames = episodes[-1].to_index if episodes else 0
            known = info.with_totals(len(episodes), frames, len(tasks))
            quantiles = SetQuantiles.of(Dataset(root, known, episodes, tasks))
            totals = _kept_totals(root, info, frames)
            renewed = quantiles.put_into(totals or totals_from_rows(root, info))
            writer = cls(root, known, episodes, tasks, renewed, quantiles, lock, durable)
            if known != info or totals is None:
                writer._rewrite_totals()
            return writer
        except BaseException:
            os.close(lock)
            raise

    @property
    def info(self) -> DatasetInfo:
        """The set's description as it is now, with its totals."""
        return self._info

    def save_episode(
        self, columns: Mapping[str, npt.NDArray[Any]], task: str, extra: Mapping[str, object] | None = None
    ) -> int:
        """Encode and commit one episode; see `encode_episode` and `save_encoded`."""
        return self.save_encoded(encode_episode(self._info.features, self._info.fps, columns), task, extra)

    def save_encoded(self, encoded: EncodedEpisode, task: str, extra: Mapping[str, object] | None = None) -> int:
        """Commit one encoded episode; returns its index.

        task: what was done, in words.
        extra: bools, numbers or words to store with the episode; names and types are the same for every episode.
        Raises DatasetError when the episode does not fit the set; RecordingError when it cannot be written. In both
        cases the episodes saved before stay intact, and saving may be tried again. The exception is a RecordingError
        that says that the episode is saved and only the set's totals are not: `info` then counts the episode, and the
        next save or `open` renews the totals. An interrupt closes the writer: open the set again to see whether the
        episode was saved.
        """
        if self._lock is None:
            raise DatasetError(f"the writer of {self.root} is closed")
        if not task:
            raise DatasetError("an episode needs a task: a few words on what was done")
        episode = self._next_episode(encoded, task, self._checked_extra(extra or {}))
        tasks = self._tasks if task in self._tasks else [*self._tasks, task]
        info = self._info.with_totals(episode.index + 1, episode.to_index, len(tasks))
        numbers = bookkeeping(info, episode, tasks.index(task))
        own = with_bookkeeping(encoded.statistics, numbers)
        quantiles = self._quantiles.with_episode({**encoded.vectors, **numbers}, encoded.statistics)
        totals = quantiles.put_into(statistics.merge(self._totals, own))

        staging = Staging(self.root, self._durable)
        try:
            files = (
                to_parquet(frames_table(info, encoded, numbers)),
                to_parquet(row_table(info, episode, own), lean=True),
            )
            self._commit(staging, info, episode, encoded, files, tasks, totals)
            self._last, self._tasks, self._info = episode, tasks, info
            self._totals, self._quantiles = totals, quantiles
            self._publish_totals(staging)
        except (DatasetError, RecordingError):
            self._take_back(staging, [])
            raise
        except BaseException:  # an interrupt: whether the commit took place is for `open` to see
            self._take_back(staging, [])
            self.close()
            raise
        return episode.index

    def close(self) -> None:
        """Release the set for other writers. Everything saved is on disk already; a second call does nothing.

        Without `durable`, the one file that cannot be derived from others, `meta/info.json`, reaches the disk here.
        Raises RecordingError when it cannot.
        """
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            if not self._durable:
                sync(self.root / INFO_PATH)
                sync((self.root / INFO_PATH).parent)
        except OSError as error:
            raise RecordingError(f"{self.root / INFO_PATH} may not outlive a power cut: {error}") from error
        finally:
            os.close(lock)

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_episode(self, encoded: EncodedEpisode, task: str, extra: Extra) -> Episode:
        last, info = self._last, self._info
        if set(encoded.images) != set(info.image_keys) or set(encoded.videos) != set(info.video_keys):
            raise DatasetError(f"the episode was encoded for other pictures than those of {self.root}")
        data = info.next_file(last.data_chunk, last.data_file) if last else (0, 0)
        row = info.next_file(last.row_chunk, last.row_file) if last else (0, 0)
        videos = {}
        for key in info.video_keys:
            chunk, file = info.next_file(last.videos[key].chunk, last.videos[key].file) if last else (0, 0)
            videos[key] = VideoSpan(chunk, file, 0.0, encoded.length / info.fps)
        return Episode(
            index=last.index + 1 if last else 0,
            length=encoded.length,
            tasks=(task,),
            from_index=last.to_index if last else 0,
            data_chunk=data[0],
            data_file=data[1],
            row_chunk=row[0],
            row_file=row[1],
            videos=videos,
            extra=extra,
            digests={key: hashlib.sha256(video).hexdigest() for key, video in encoded.videos.items()},
        )

    def _checked_extra(self, extra: Mapping[str, object]) -> Extra:
        checked = check_extra(extra)
        if self._last is not None:
            before = {name: type(value) for name, value in self._last.extra.items()}
            now = {name: type(value) for name, value in checked.items()}
            if before != now:
                raise DatasetError(f"the extras must be the same for each episode: {before} before, {now} now")
            return {name: checked[name] for name in before}
        return checked

    def _commit(
        self,
        staging: Staging,
        info: DatasetInfo,
        episode: Episode,
        encoded: EncodedEpisode,
        files: tuple[bytes, bytes],
        tasks: Sequence[str],
        totals: statistics.Statistics,
    ) -> None:
        """Write all files, and publish all but the totals. Raises RecordingError, with all files removed again.

        files: the episode's data and its row.
        """
        data = info.data_file(episode.data_chunk, episode.data_file)
        first = [data]
        try:
            staging.add(data, files[0])
            for key, span in episode.videos.items():
                video = info.video_file(key, span.chunk, span.file)
                staging.add(video, encoded.videos[key])
                first.append(video)
            if len(tasks) != len(self._tasks):
                staging.add(TASKS_PATH, to_parquet(tasks_table(dict(enumerate(tasks)))))
                first.append(TASKS_PATH)
            staging.add(episode.row_path, files[1])
            staging.add(STATS_PATH, statistics.to_json(totals))
            staging.add(INFO_PATH, info.to_json())
            staging.publish(*first)
            staging.publish(episode.row_path)  # the commit
        except OSError as error:
            # The row first: a failure to make the commit durable must not leave a row without its data.
            self._take_back(staging, [episode.row_path, *(path for path in first if path != TASKS_PATH)])
            raise RecordingError(
                f"episode {episode.index} could not be written to {self.root}: {error}; "
                f"the {episode.index} episodes before it are whole"
            ) from error

    def _publish_totals(self, staging: Staging) -> None:
        try:
            staging.publish(STATS_PATH, INFO_PATH)
        except OSError as error:
            raise RecordingError(
                f"episode {self._info.total_episodes - 1} is saved, so do not save it again, but the totals of "
                f"{self.root} could not be renewed: {error}; the next save or `worldarm dataset repair` does that"
            ) from error

    def _take_back(self, staging: Staging, published: Sequence[str]) -> None:
        # On a full or failing disk removing may fail too; what remains is data without a row, which is harmless.
        try:
            staging.discard()
            for relative in published:
                (self.root / relative).unlink(missing_ok=True)
        except OSError:
            return

    def _rewrite_totals(self) -> None:
        try:
            replace_file(self.root, STATS_PATH, statistics.to_json(self._totals), self._durable)
            replace_file(self.root, INFO_PATH, self._info.to_json(), self._durable)
        except OSError as error:
            raise RecordingError(f"the totals of {self.root} could not be renewed: {error}") from error


def _kept_totals(root: Path, info: DatasetInfo, frames: int) -> statistics.Statistics | None:
    """Return the stored statistics of the whole set; None when they are broken or do not cover all frames."""
    try:
        totals = statistics.read_statistics(root)
    except DatasetError:
        return None
    return totals if covers(info, totals, frames) else None


def _refuse_others(root: Path, info: DatasetInfo, fps: int | None, features: Mapping[str, Feature] | None) -> None:
    if fps is not None and fps != info.fps:
        raise DatasetError(f"{root} has {info.fps} frames a second, not {fps}: choose another folder")
    for name, feature in info.user_features.items():
        validate_feature(name, feature)
    if features is None:
        return
    for name in sorted(features.keys() | info.user_features.keys()):
        here, wanted = info.user_features.get(name), features.get(name)
        if here is None or wanted is None or not same_kind(here, wanted):
            raise DatasetError(
                f"{root} has other features, choose another folder: {name!r} is {describe_feature(here)} there "
                f"and {describe_feature(wanted)} here"
            )


def _refuse_gaps(root: Path, info: DatasetInfo, episodes: Sequence[Episode]) -> None:
    if [episode.index for episode in episodes] != list(range(len(episodes))) or len(episodes) < info.total_episodes:
        raise DatasetError(f"episodes are missing from {root}: run `worldarm dataset repair {root}` first")
    require_own_rows(root, info, episodes)
