"""Keeps enough of the values that columns take to compute their quantiles; memory is bounded."""

from __future__ import annotations

from copy import copy

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MOST_KEPT = 16_384
"""Values that are kept of each column; up to as many frames the quantiles are exact."""
_LEAST_KEPT = 16
_MOST_BYTES = 64 * 2**20
_MOST_CHUNKS = 64
_RUN = 64
"""Values that a new one is chosen from, in units of those for which each stands."""


class ThinnedValues:
    """The values of `width` columns, of which all, or evenly chosen ones, are kept; `with_values` makes another.

    Beyond the bound every second one of the sorted values is kept, and stands for twice as many. The rank of a quantile
    is then off by less than a thousandth.
    """

    def __init__(self, width: int) -> None:
        self._most = max(_LEAST_KEPT, min(MOST_KEPT, _MOST_BYTES // (8 * max(1, width))))
        self._kept: list[Array] = []  # (width, m) each
        self._waiting: list[Array] = []  # of new values, until there are enough to choose from
        self._stand_for = 1  # frames that a kept value stands for
        self._every = 1  # the distance between frames that are used; more than 1 only for very wide columns
        self._seen = 0  # frames
        self._later = False  # alternates, so that what rounding adds to a rank is taken away again

    def with_values(self, values: npt.NDArray[np.generic]) -> ThinnedValues:
        """Return these and the values of T more frames, (T, width)."""
        grown = copy(self)
        used = values[-self._seen % self._every :: self._every]
        grown._seen += len(values)
        grown._waiting = [*self._waiting, np.ascontiguousarray(used.T, dtype=np.float64)]
        grown._settle()
        return grown

    def ordered(self) -> Array:
        """Return the kept values, at least one, of each column from the least to the greatest: (m, width)."""
        waiting = np.sort(np.concatenate(self._waiting, axis=1), axis=1) if self._waiting else None
        if waiting is None:
            rest = []
        elif self._kept:
            rest = [waiting[:, self._step // 2 :: self._step]]
        else:
            rest = [waiting]
        return np.sort(np.concatenate([*self._kept, *rest], axis=1), axis=1).T

    @property
    def _step(self) -> int:
        """The number of waiting values for which one is kept."""
        return self._stand_for // self._every

    def _settle(self) -> None:
        """Keep of the waiting values those that are to be kept, once there are enough to choose from."""
        count = sum(chunk.shape[1] for chunk in self._waiting)
        if count < (1 if self._step == 1 else min(_RUN * self._step, self._most)):
            return
        whole = count - count % self._step
        together = np.concatenate(self._waiting, axis=1)
        self._waiting = [together[:, whole:]] if whole < count else []
        self._kept = [*self._kept, self._thinned(together[:, :whole], self._step)]
        if len(self._kept) > _MOST_CHUNKS:
            self._kept = [np.concatenate(self._kept, axis=1)]
        while sum(chunk.shape[1] for chunk in self._kept) > self._most:
            self._kept = [self._thinned(np.concatenate(self._kept, axis=1), 2)]
            self._stand_for *= 2
            self._every = max(1, self._stand_for // self._most)

    def _thinned(self, values: Array, step: int) -> Array:
        """Return each `step`-th of the sorted values, from the middle of each run of `step`."""
        if step == 1:
            return values
        self._later = not self._later
        return np.sort(values, axis=1)[:, step // 2 - self._later :: step]
