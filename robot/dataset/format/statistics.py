"""Statistics of the columns, in the form that LeRobot's normalisers read: of one episode, and merged over several.

Each feature has min, max, mean, std, count and the quantiles q01, q10, q50, q90, q99; for numbers of shape (n,), for
pictures per channel of shape (3, 1, 1) in [0, 1]. Merging is exact. It leaves out the quantiles, which cannot be
merged: `SetQuantiles` has those of a whole set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from robot.dataset.format.paths import inside
from robot.dataset.format.schema import STATS_PATH
from robot.errors import ConfigurationError, DatasetError
from robot.system.bounds import MAX_STATISTICS_BYTES
from robot.system.plain_json import read_json

Array = npt.NDArray[np.float64]
FeatureStatistics = dict[str, npt.NDArray[np.generic]]
Statistics = dict[str, FeatureStatistics]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
KEYS = ("min", "max", "mean", "std", "count", *QUANTILES)
_MOST_FRAMES = 100  # pictures: enough for a mean over millions of pixels
_MOST_PIXELS = 150  # along the longer side


def vector_statistics(columns: Mapping[str, npt.NDArray[np.generic]]) -> Statistics:
    """Return the statistics of number columns, each (T,) or (T, n), of one episode of T ≥ 1 frames."""
    if not columns:
        return {}
    flat = {name: values.reshape(len(values), -1) for name, values in columns.items()}
    together = np.concatenate([values.astype(np.float64) for values in flat.values()], axis=1)
    ordered = np.sort(together, axis=0)  # one sort of all columns serves every quantile
    length = len(ordered)
    every = {"min": ordered[0], "max": ordered[-1], "mean": together.mean(axis=0), "std": together.std(axis=0)}
    every |= quantiles_of(ordered)
    statistics: Statistics = {}
    start = 0
    for name, values in flat.items():
        stop = start + values.shape[1]
        statistics[name] = {key: value[start:stop] for key, value in every.items()}
        statistics[name]["count"] = np.array([length], dtype=np.int64)
        start = stop
    return statistics


def quantiles_of(ordered: Array) -> dict[str, Array]:
    """Return the quantiles, (n,) each, of sorted columns (T, n) of T ≥ 1 values, interpolated linearly."""
    last = len(ordered) - 1
    found = {}
    for key, fraction in QUANTILES.items():
        below = int(fraction * last)
        weight = fraction * last - below
        found[key] = ordered[below] * (1 - weight) + ordered[min(below + 1, last)] * weight
    return found


def picture_statistics(frames: npt.NDArray[np.uint8]) -> FeatureStatistics:
    """Return the statistics per channel, (3, 1, 1) in [0, 1], of T ≥ 1 frames (T, H, W, 3) uint8; long ones are
    sampled."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _MOST_FRAMES)).round().astype(int)
    step = max(1, -(-max(frames.shape[1:3]) // _MOST_PIXELS))
    sample = frames if len(chosen) == len(frames) and step == 1 else frames[chosen, ::step, ::step]
    sheet = np.ascontiguousarray(sample).reshape(-1, sample.shape[2], 3)
    channels = [_channel_statistics(cv2.calcHist([sheet], [c], None, [256], [0, 256])) for c in range(3)]
    merged: FeatureStatistics = {
        key: np.array([channel[key] for channel in channels]).reshape(3, 1, 1) for key in channels[0]
    }
    merged["count"] = np.array([len(chosen)], dtype=np.int64)
    return merged


class PictureSample:
    """A sample of an episode's pictures, reduced in size, for its statistics; its memory is bounded."""

    def __init__(self) -> None:
        self._kept: list[npt.NDArray[np.uint8]] = []
        self._stride = 1
        self._seen = 0

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Add the next picture, (H, W, 3) uint8, to the sample when it is its turn."""
        if self._seen % self._stride == 0:
            step = max(1, -(-max(frame.shape[:2]) // _MOST_PIXELS))
            self._kept.append(frame[::step, ::step].copy())
        self._seen += 1
        if len(self._kept) == 2 * _MOST_FRAMES:  # for a longer episode every second picture is enough
            del self._kept[1::2]
            self._stride *= 2

    def statistics(self) -> FeatureStatistics:
        """Return the statistics of the sample, which has at least one picture; see `picture_statistics`."""
        return picture_statistics(np.stack(self._kept))


def merge(first: Statistics, second: Statistics) -> Statistics:
    """Return the statistics of both together, without quantiles; a feature that only one has is taken unchanged.

    Raises DatasetError when they do not go together."""
    merged = {**first, **second}
    for name in first.keys() & second.keys():
        try:
            merged[name] = _merge_feature(first[name], second[name])
        except (LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise DatasetError(
                f"the statistics of {name} differ in form between episodes ({error}): have the program that wrote the "
                "data set compute them again"
            ) from error
    return merged


def to_json(statistics: Statistics) -> bytes:
    """Return the bytes of `meta/stats.json`."""
    plain = {name: {key: value.tolist() for key, value in entry.items()} for name, entry in statistics.items()}
    return json.dumps(plain).encode()


def read_statistics(root: Path) -> Statistics:
    """Read `meta/stats.json` under `root`; empty when the file is absent. Raises DatasetError when it is broken."""
    path = inside(root, STATS_PATH)
    try:
        document = read_json(path, MAX_STATISTICS_BYTES)
        return {
            name: {key: np.atleast_1d(as_numbers(value)) for key, value in entry.items()}
            for name, entry in document.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, ConfigurationError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def as_numbers(value: object) -> npt.NDArray[np.generic]:
    """Return stored statistics as an array. Raises ValueError when they are not numbers in rows of one length."""
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "biuf":
        raise ValueError("statistics are not numbers")
    return numbers


def _channel_statistics(histogram: npt.NDArray[Any]) -> dict[str, float]:
    counts = histogram.ravel().astype(np.float64)
    levels = np.arange(256) / 255.0
    total = counts.sum()
    mean = float(counts @ levels / total)
    seen = np.flatnonzero(counts)
    running = np.cumsum(counts)
    channel = {
        "min": float(levels[seen[0]]),
        "max": float(levels[seen[-1]]),
        "mean": mean,
        "std": float(np.sqrt(counts @ (levels - mean) ** 2 / total)),
    }
    for key, fraction in QUANTILES.items():
        channel[key] = float(levels[min(int(np.searchsorted(running, fraction * total)), 255)])
    return channel


def _merge_feature(first: FeatureStatistics, second: FeatureStatistics) -> FeatureStatistics:
    count_first, count_second = float(first["count"][0]), float(second["count"][0])
    share = count_second / (count_first + count_second)
    mean_first, mean_second = _floats(first["mean"]), _floats(second["mean"])
    mean = mean_first + (mean_second - mean_first) * share
    variance = (_floats(first["std"]) ** 2 + (mean_first - mean) ** 2) * (1 - share)
    variance = variance + (_floats(second["std"]) ** 2 + (mean_second - mean) ** 2) * share
    return {
        "min": np.minimum(_floats(first["min"]), _floats(second["min"])),
        "max": np.maximum(_floats(first["max"]), _floats(second["max"])),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(count_first + count_second)], dtype=np.int64),
    }


def _floats(values: npt.NDArray[np.generic]) -> Array:
    return values.astype(np.float64)
