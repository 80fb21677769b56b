"""Hindsight goals: any frame that play reached later is a goal that its actions were good for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.training_data.clips import torch_generator
from perception.training_data.frame_cache import FrameCache


@dataclass(frozen=True)
class GoalMix:
    """Shares of goals: this very frame, the next one, a later one of the same episode within `reach` blocks, and any of
    the same episode, where the same things lie about otherwise; the rest are frames of any episode."""

    here: float = 0.10
    following: float = 0.15
    later: float = 0.20
    same: float = 0.40
    reach: int = 30


class Seen(NamedTuple):
    """The frames of a data set as the model sees them: `latents` (N, D) of their pictures, and what it `expected`
    (N, D), with scaled `proprio` (N, P), of each from the frame before and what was done there.

    A decision is made a block ahead and rests on what is expected, so that is what critic and actor learn from. A
    picture would tell too much: by the time it is taken the arm has begun to turn into the next block, and whoever
    learns to read that off waits for ever for an arm that waits for him.
    """

    latents: Tensor
    expected: Tensor
    proprio: Tensor


class HindsightSampler:
    """Draws (state, next state, goal) triples from encoded episodes.

    `views` are the frames as seen once or several times, otherwise lit for one; a state and its goal are drawn from any
    one of them. `actions` (N, A), clean, without noise, are aligned with the cache's frames.
    """

    def __init__(self, cache: FrameCache, episodes: NDArray[np.int64], views: Sequence[Seen], actions: Tensor) -> None:
        firsts, ends = cache.starts[episodes], cache.starts[episodes] + cache.lengths[episodes]
        # The last frame of an episode has no successor. At the first nobody has decided yet: whoever learns from the
        # standstill there stands still for ever.
        self._frames = np.concatenate([np.arange(f + 1, e - 1) for f, e in zip(firsts, ends, strict=True)])
        counts = np.maximum(ends - 2 - firsts, 0)
        self._firsts, self._ends = np.repeat(firsts, counts), np.repeat(ends, counts)
        # (V, N, ...) each, so that a row is found by its view and its number.
        self._views = Seen(*(torch.stack(each) for each in zip(*views, strict=True)))
        self._actions = actions

    def draw(self, count: int, rng: np.random.Generator, mix: GoalMix, noise: float) -> dict[str, Tensor]:
        """Return a batch of `count`; `noise` is the standard deviation added to latents of states and goals."""
        chosen = rng.integers(0, len(self._frames), count)
        frame, first, end = self._frames[chosen], self._firsts[chosen], self._ends[chosen]
        kind = rng.random(count)
        last = np.minimum(end - 1, frame + mix.reach)
        later = frame + 1 + np.floor(rng.random(count) * (last - frame)).astype(np.int64)
        same = first + np.floor(rng.random(count) * (end - first)).astype(np.int64)
        anywhere = self._frames[rng.integers(0, len(self._frames), count)]
        edges = np.cumsum([mix.here, mix.following, mix.later, mix.same])
        goal = np.choose(np.searchsorted(edges, kind, side="right"), [frame, frame + 1, later, same, anywhere])
        torch_rng = torch_generator(rng)
        here, following, there = (torch.from_numpy(index) for index in (frame, frame + 1, goal))
        # A goal is seen as the state is: were its camera to stand otherwise, things moved a little would look like
        # things in place, and critic and actor would learn to be content with them.
        views = self._views
        view = torch.randint(len(views.latents), (count,), generator=torch_rng)

        def blurred(latents: Tensor) -> Tensor:
            return latents + noise * torch.randn(latents.shape, generator=torch_rng)

        return {
            "latent": blurred(views.expected[view, here]),
            "next_latent": blurred(views.expected[view, following]),
            "goal": blurred(views.latents[view, there]),
            "proprio": views.proprio[view, here],
            "next_proprio": views.proprio[view, following],
            "action": self._actions[here],
            "here": torch.from_numpy((goal == frame).astype(np.float32)),
            "arrives": torch.from_numpy((goal == frame + 1).astype(np.float32)),
        }
