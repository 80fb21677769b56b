"""A data set's frames, decoded once and mapped from disk, so that training draws random clips without decoding.

The cache's folder is named after the data set's fingerprint, so it is built again when the data change. It appears by
one rename, so a half-built cache is never used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from perception.training_data.block_extraction import read_blocks
from robot.dataset.format.columns import (
    ABSENT_BELOW_M,
    ACTION,
    CLEAN_ACTION,
    IMAGES,
    OBJECT_POSE,
    STATE,
    image_column,
)
from robot.dataset.format.staged_folders import new_folder
from robot.dataset.reader import Dataset
from robot.embodiment.description import RecordedEmbodiment, read_recorded_embodiment
from robot.errors import DatasetError, RecordingError
from robot.system.files import sync

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Pictures(Protocol):
    """Pictures (N, H, W, 3) uint8 RGB, indexed like an array by their numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: NDArray[np.int64] | slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class FrameCache:
    """All N frames of a data set, in the order of its episodes.

    `images` (N, H, W, 3) uint8 RGB; `states` (N, P) SI units; `actions` (N, A); `clean_actions` (N, A), the actions
    before noise was added (equal to `actions` where the data set does not hold them); `truth` (N, K, 3) m, the
    positions of K objects for the doctor's probes, NaN where one is absent (None where the data set has none). Of the E
    episodes: `starts` (E,), the number of the first frame; `lengths` (E,); and `recorded` (E,), the number of the
    recorded episode that each was cut from. `series` identifies the series of recordings that a data set belongs to; it
    stays the same when episodes are added.
    """

    images: Pictures
    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    clean_actions: NDArray[np.float32]
    truth: NDArray[np.float32] | None
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    recorded: NDArray[np.int64]
    fingerprint: str
    series: str

    @property
    def frames(self) -> int:
        """Number of frames N."""
        return len(self.states)

    def frames_of(self, episodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of all frames of `episodes`."""
        return np.concatenate([np.arange(self.starts[e], self.starts[e] + self.lengths[e]) for e in episodes])

    def frames_before(self) -> NDArray[np.int64]:
        """Return, for every frame (N,), the number of the frame before it in its episode; its own for the first."""
        before = np.arange(-1, self.frames - 1)
        before[self.starts] += 1
        return before

    def split(self, held_out_share: float, there: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of the episodes to train on and of those held out: the last `held_out_share` of what was
        recorded, with no recorded episode divided. Where a model learnt from the first `there` episodes only, the
        later ones are held out too. Raises `DatasetError` for too few episodes."""
        recorded = np.unique(self.recorded[:there])
        held_out = kept_aside(len(recorded), held_out_share)
        if len(recorded) <= held_out:
            raise DatasetError(
                f"the data set has {len(recorded)} episode(s), too few to keep some for validation; record more"
            )
        episodes, judging = np.arange(len(self.starts)), self.recorded >= recorded[-held_out]
        return episodes[~judging], episodes[judging]


def kept_aside(episodes: int, share: float) -> int:
    """Return the number of held-out episodes when a `share` of `episodes` is held out: at least one."""
    return max(1, round(episodes * share))


def open_cache(dataset: Dataset, camera: str, folder: Path, picture: tuple[int, int] | None = None) -> FrameCache:
    """Return the cache in `folder` of `dataset`'s pictures from `camera`, which is built first if it is not there.

    `picture` is as in `read_embodiment`: the width and height of each view's pictures, where the set was recorded at a
    camera's own rate and size. Each size has a cache of its own. Raises `DatasetError` when the data set has no such
    camera, no state or no actions, and when `folder` has no room.
    """
    image_key = image_column(camera)
    for key, what in ((image_key, f"pictures of a camera named {camera!r}"), (STATE, "states"), (ACTION, "actions")):
        if key not in dataset.info.features:
            raise DatasetError(f"{dataset.root} has no {what} (feature {key!r}); it holds {_names(dataset)}")
    fingerprint = dataset.fingerprint()
    recorded = read_recorded_embodiment(dataset.info)
    # The blocks cut out of a recording depend on its embodiment description too.
    suffix = ""
    if recorded is not None:
        picture = recorded.embodiment(camera, picture).camera.view_size
        digest = hashlib.sha256(msgspec.json.encode(recorded)).hexdigest()[:8]
        suffix = f"-{digest}-{picture[0]}x{picture[1]}-grids"
    place = folder / f"{camera}-{fingerprint[:16]}{suffix}"
    if not place.exists():
        if recorded is None or picture is None:
            _build(dataset, _Played(dataset, image_key), place)
        else:
            _build(dataset, _Recorded(dataset, recorded, camera, picture), place)
    states, actions = np.load(place / "states.npy"), np.load(place / "actions.npy")
    meta = json.loads((place / "cache.json").read_text())
    clean, truth = place / "meant.npy", place / "truth.npy"
    lengths = np.asarray(meta["lengths"], dtype=np.int64)
    return FrameCache(
        images=np.load(place / "images.npy", mmap_mode="r"),
        states=states,
        actions=actions,
        clean_actions=np.load(clean) if clean.exists() else actions,
        truth=np.load(truth) if truth.exists() else None,
        starts=np.asarray(meta["starts"], dtype=np.int64),
        lengths=lengths,
        recorded=np.asarray(meta.get("recorded", range(len(lengths))), dtype=np.int64),
        fingerprint=fingerprint,
        series=_series(dataset, states[: lengths[0]], actions[: lengths[0]]),
    )


def _series(dataset: Dataset, states: NDArray[np.float32], actions: NDArray[np.float32]) -> str:
    """Return a digest that stays the same when a data set grows: of play's seed and embodiment; for other recordings,
    of the `states` and `actions` of the first episode."""
    if "play" in dataset.info.metadata:
        return hashlib.sha256(json.dumps(dict(dataset.info.metadata), sort_keys=True).encode()).hexdigest()
    return hashlib.sha256(states.tobytes() + actions.tobytes()).hexdigest()


class _Episodes(Protocol):
    """Episodes whose frames are to be decoded: their `lengths`, the number of the `recorded` episode that each was cut
    from, and the `size` (H, W) of their pictures."""

    lengths: list[int]
    recorded: list[int]
    size: tuple[int, int]

    def columns(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the columns of each episode in order: `IMAGES`, `STATE` and `ACTION`, and `CLEAN_ACTION` and
        `OBJECT_POSE` where the data set has them."""


class _Played:
    """The episodes of a data set that holds one row a block."""

    def __init__(self, dataset: Dataset, image_key: str) -> None:
        self._dataset, self._image_key = dataset, image_key
        self.lengths = [episode.length for episode in dataset.episodes]
        self.recorded = list(range(len(self.lengths)))
        height, width = dataset.info.features[image_key].shape[:2]
        self.size = height, width
        self._truth = sorted(key for key in dataset.info.features if key.startswith(OBJECT_POSE))
        self._clean = [CLEAN_ACTION] if CLEAN_ACTION in dataset.info.features else []

    def columns(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the columns of each episode."""
        for index in range(len(self._dataset)):
            columns = self._dataset.episode(index, [self._image_key, STATE, ACTION, *self._clean, *self._truth])
            # The format reads a column of one number a frame as scalars.
            found = {key: columns[key].reshape(len(columns[key]), -1) for key in (STATE, ACTION)}
            found[IMAGES] = columns[self._image_key]
            if self._clean:
                found[CLEAN_ACTION] = columns[CLEAN_ACTION]
            if self._truth:
                found[OBJECT_POSE] = np.stack([columns[key][:, :3] for key in self._truth], axis=1)
            yield found


class _Recorded:
    """The episodes cut out of a data set that was recorded at a camera's rate: each is a stretch of blocks."""

    def __init__(self, dataset: Dataset, recorded: RecordedEmbodiment, camera: str, picture: tuple[int, int]) -> None:
        self._dataset, self._picture = dataset, picture
        self._camera = next(each for each in recorded.cameras if each.name == camera)
        self._blocks = read_blocks(dataset, recorded, self._camera)
        if self._blocks.left_out:
            tqdm.write(self._blocks.left_out, file=sys.stderr)
        self.lengths = [len(stretch.rows) for stretch in self._blocks.stretches]
        self.recorded = [stretch.episode for stretch in self._blocks.stretches]
        self.size = picture[1] * len(self._camera.views), picture[0]

    def columns(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the columns of each stretch, with its pictures cropped and resized."""
        pictures = self._blocks.pictures(self._dataset, self._camera, self._picture)
        for stretch, seen in zip(self._blocks.stretches, pictures, strict=True):
            yield {IMAGES: seen, STATE: stretch.states, ACTION: stretch.actions}


def _build(dataset: Dataset, episodes: _Episodes, place: Path) -> None:
    """Decode all frames into the folder `place`, which appears only when it is complete."""
    try:
        # Not locked: a cache may lie on a network file system.
        with new_folder(place, lock=False) as building:
            _decode(dataset, episodes, building)
    except RecordingError as error:
        cause = error.__cause__
        full = isinstance(cause, OSError) and cause.errno in NO_ROOM
        why = "no room for" if full else "no way to keep"
        raise DatasetError(f"there is {why} the decoded frames of {dataset.root} in {place.parent}: {error}") from error


def _decode(dataset: Dataset, episodes: _Episodes, building: Path) -> None:
    """Write all files into the folder `building` and flush them to the disk. Raises `OSError`."""
    lengths = episodes.lengths
    total = sum(lengths)
    if total == 0:
        raise DatasetError(f"{dataset.root} holds no frames")
    images = np.lib.format.open_memmap(
        building / "images.npy", mode="w+", dtype=np.uint8, shape=(total, *episodes.size, 3)
    )
    _reserve(building / "images.npy")
    numbers: dict[str, list[NDArray[Any]]] = {STATE: [], ACTION: [], CLEAN_ACTION: [], OBJECT_POSE: []}
    first = 0
    bar = tqdm(episodes.columns(), desc="decoding frames", total=len(lengths), unit="episode", leave=False)
    for length, columns in zip(lengths, bar, strict=True):
        images[first : first + length] = columns[IMAGES]
        for key, parts in numbers.items():
            if key in columns:
                parts.append(columns[key])
        first += length
    images.flush()
    names = {STATE: "states", ACTION: "actions", CLEAN_ACTION: "meant", OBJECT_POSE: "truth"}
    for key, parts in numbers.items():
        if not parts:
            continue
        values = np.concatenate(parts).astype(np.float32)
        if not np.isfinite(values).all():
            called = f"{OBJECT_POSE}*" if key == OBJECT_POSE else key
            raise DatasetError(f"{dataset.root} has numbers in {called!r} that are not finite: check the data set")
        if key == OBJECT_POSE:
            values[values[..., 2] < ABSENT_BELOW_M] = np.nan
        np.save(building / f"{names[key]}.npy", values)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    (building / "cache.json").write_text(
        json.dumps({"starts": starts.tolist(), "lengths": lengths, "recorded": episodes.recorded})
    )
    for path in building.iterdir():  # before the rename: a power cut must not leave a half-filled folder under its name
        sync(path)


def _reserve(path: Path) -> None:
    """Reserve the disk space of a whole file: the process would be killed when a mapped page found no room later."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _names(dataset: Dataset) -> str:
    return ", ".join(sorted(dataset.info.features))
