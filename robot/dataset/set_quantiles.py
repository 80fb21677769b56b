"""The quantiles of a whole set: of the numbers in its frames, and of pictures from the statistics of its episodes.

Quantiles of parts do not give those of the whole: of two episodes at both ends of a table, the mean of their lowest
percentiles is in the middle of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from robot.dataset.format.schema import BOOKKEEPING, DatasetInfo, Feature
from robot.dataset.format.statistics import QUANTILES, FeatureStatistics, Statistics, quantiles_of
from robot.dataset.format.tables import read_statistics_of
from robot.dataset.format.thinned_values import ThinnedValues
from robot.dataset.reader import Dataset

_LEVELS = np.array([0.0, *QUANTILES.values(), 1.0])
_RANKS = 0.02
"""A quantile whose rank is off by no more than this is an estimate of the right one."""
_NEAR = 1e-3
"""The same for its value, in units of the column's range."""
_MOST_OF_PICTURES = 256
"""Values that stand for the pictures of an episode: as many as pictures were sampled, up to this number."""


class SetQuantiles:
    """The quantiles of a set of episodes; `with_episode` returns those with one more."""

    def __init__(self, values: Mapping[str, ThinnedValues] | None = None, numbers: Iterable[str] = ()) -> None:
        self._values = dict(values or {})
        self._numbers = frozenset(numbers)

    @classmethod
    def of(cls, dataset: Dataset) -> SetQuantiles:
        """Return those of a set that is there. Raises DatasetError when its numbers cannot be read."""
        numbers = number_columns(dataset.info)
        pictures = [name for name, feature in dataset.features.items() if feature.is_picture]
        sampled = read_statistics_of(dataset.root, pictures) if pictures else {}
        quantiles = cls()
        for episode in dataset.episodes:
            columns = dataset.episode(episode.index, numbers)
            quantiles = quantiles.with_episode(columns, sampled.get(episode.index, {}))
        return quantiles

    def with_episode(self, numbers: Mapping[str, npt.NDArray[np.generic]], statistics: Statistics) -> SetQuantiles:
        """Return those with an episode of these number columns, (T, ...) each; of its statistics, the pictures' are
        used."""
        added = {name: values.reshape(len(values), -1) for name, values in numbers.items()}
        for name, entry in statistics.items():
            if name not in numbers and entry.keys() >= {"min", "max", "count", *QUANTILES}:
                added[name] = _stand_in(entry)
        before = self._values
        grown = {name: before.get(name, ThinnedValues(v.shape[1])).with_values(v) for name, v in added.items()}
        return SetQuantiles({**before, **grown}, self._numbers | numbers.keys())

    def put_into(self, totals: Statistics) -> Statistics:
        """Return the statistics `totals` of the whole set with these quantiles."""
        found = dict(totals)
        for name, values in self._values.items():
            if name in totals:
                shape = totals[name]["min"].shape
                quantiles = {key: each.reshape(shape) for key, each in quantiles_of(values.ordered()).items()}
                found[name] = {**totals[name], **quantiles}
        return found

    def differing(self, kept: Statistics) -> list[str]:
        """Return the columns of numbers whose quantiles in `kept` are others, by more than estimates usually differ.

        Those of the bookkeeping columns are not compared: nothing uses them.
        """
        compared = [name for name in self._values if name in self._numbers and name not in BOOKKEEPING and name in kept]
        return [name for name in compared if _differ(self._values[name].ordered(), kept[name])]


def number_columns(info: DatasetInfo) -> list[str]:
    """Return the names of the columns that hold numbers."""
    return [name for name, feature in info.features.items() if holds_numbers(feature)]


def holds_numbers(feature: Feature) -> bool:
    """Return whether a column has numbers in each row, no pictures and no words."""
    return not feature.is_picture and feature.dtype != "string"


def _differ(ordered: npt.NDArray[np.float64], entry: FeatureStatistics) -> bool:
    """Return whether a quantile in `entry` has another rank among the sorted columns (m, n) than its own."""
    near = _NEAR * (ordered[-1] - ordered[0])
    ranks = _RANKS + 1 / len(ordered)
    for key, fraction in QUANTILES.items():
        stored = entry.get(key, ordered[:0]).astype(np.float64).reshape(-1)
        if len(stored) != ordered.shape[1]:
            return key in entry
        least = (ordered < stored - near).mean(axis=0)
        most = (ordered <= stored + near).mean(axis=0)
        if ((fraction < least - ranks) | (fraction > most + ranks)).any():
            return True
    return False


def _stand_in(entry: FeatureStatistics) -> npt.NDArray[np.float64]:
    """Return values, (m, n), that are spread as the statistics of n channels say."""
    known = np.stack([entry[key].astype(np.float64).reshape(-1) for key in ("min", *QUANTILES, "max")])
    count = int(np.clip(entry["count"].reshape(-1)[0], 1, _MOST_OF_PICTURES))
    levels = (np.arange(count) + 0.5) / count
    return np.stack([np.interp(levels, _LEVELS, channel) for channel in known.T], axis=1)
