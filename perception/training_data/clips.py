"""Random clips for training. They depend on seed and step number alone, so a resumed run draws the same clips."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from perception.training_data.frame_cache import FrameCache


def generator(seed: int, step: int, purpose: int, rank: int = 0) -> np.random.Generator:
    """Return the random generator of one training step for one `purpose`; it depends on nothing but the arguments."""
    return np.random.default_rng([seed, step, purpose, rank])


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """Return a PyTorch generator seeded from `rng`, which advances by one draw."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def with_history(cache: FrameCache, frames: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the numbers (..., count) of each of `frames` (...) and of those before it, in the order of time; the first
    frame of an episode stands for those before it."""
    first = cache.starts[np.searchsorted(cache.starts, frames, side="right") - 1]
    return np.maximum(frames[..., None] + np.arange(1 - count, 1), first[..., None])


class ClipSampler:
    """Draws clips of `length` frames that lie `stride` frames apart. No clip reaches across the end of an episode."""

    def __init__(self, cache: FrameCache, episodes: NDArray[np.int64], length: int, stride: int = 1) -> None:
        starts = []
        self._frames = np.arange(length) * stride
        for episode in episodes:
            first, count = cache.starts[episode], cache.lengths[episode]
            starts.append(np.arange(first, first + count - self._frames[-1]))
        self._starts = np.concatenate(starts)

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return frame numbers (count, length)."""
        chosen = self._starts[rng.integers(0, len(self._starts), count)]
        return chosen[:, None] + self._frames
