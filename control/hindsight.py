"""Hindsight goals: any frame that play reached later is a goal that its actions were good for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.frame_cache import FrameCache


@dataclass(frozen=True)
class GoalMix:
    """Shares of goals: this very frame, the next one, a later one of the same episode within `reach` blocks; the
    rest are frames of any episode."""

    here: float = 0.10
    following: float = 0.15
    later: float = 0.55
    reach: int = 30


class HindsightSampler:
    """Draws (state, next state, goal) triples from encoded episodes.

    `latents` (N, D), `proprio` (N, P) scaled, `actions` (N, A) are aligned with the cache's frames.
    """

    def __init__(
        self, cache: FrameCache, episodes: NDArray[np.int64], latents: Tensor, proprio: Tensor, actions: Tensor
    ) -> None:
        firsts, ends = cache.starts[episodes], cache.starts[episodes] + cache.lengths[episodes]
        # The last frame of an episode has no successor.
        self._frames = np.concatenate([np.arange(f, e - 1) for f, e in zip(firsts, ends, strict=True)])
        self._ends = np.concatenate([np.full(e - 1 - f, e, dtype=np.int64) for f, e in zip(firsts, ends, strict=True)])
        self._latents, self._proprio, self._actions = latents, proprio, actions

    def draw(self, count: int, rng: np.random.Generator, mix: GoalMix, noise: float) -> dict[str, Tensor]:
        """Return a batch of `count`; `noise` is the standard deviation added to latents of states and goals."""
        chosen = rng.integers(0, len(self._frames), count)
        frame, end = self._frames[chosen], self._ends[chosen]
        kind = rng.random(count)
        last = np.minimum(end - 1, frame + mix.reach)
        later = frame + 1 + np.floor(rng.random(count) * (last - frame)).astype(np.int64)
        anywhere = self._frames[rng.integers(0, len(self._frames), count)]
        edges = np.cumsum([mix.here, mix.following, mix.later])
        goal = np.where(
            kind < edges[0], frame, np.where(kind < edges[1], frame + 1, np.where(kind < edges[2], later, anywhere))
        )
        torch_rng = torch.Generator().manual_seed(int(rng.integers(2**62)))

        def latents(index: NDArray[np.int64]) -> Tensor:
            exact = self._latents[torch.from_numpy(index)]
            return exact + noise * torch.randn(exact.shape, generator=torch_rng)

        here, following = torch.from_numpy(frame), torch.from_numpy(frame + 1)
        return {
            "latent": latents(frame),
            "next_latent": latents(frame + 1),
            "goal": latents(goal),
            "proprio": self._proprio[here],
            "next_proprio": self._proprio[following],
            "action": self._actions[here],
            "here": torch.from_numpy((goal == frame).astype(np.float32)),
            "arrives": torch.from_numpy((goal == frame + 1).astype(np.float32)),
        }
