"""Hindsight goals: every frame that play reached later serves as a goal of the actions before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.learning.goal_masks import CANDIDATES, GoalMasks
from perception.model.entities.layout import FLAT, TokenLayout
from perception.training_data.clips import torch_generator
from perception.training_data.frame_cache import FrameCache


@dataclass(frozen=True)
class GoalMix:
    """Shares of goals: the state's own frame (`here`), the next one (`following`), a `later` one of the same episode
    within `reach` blocks, and any frame of the `same` episode, in which the same objects lie in other places. The rest
    are frames of any episode.

    Of the goals that are not reached in time and in which few tokens matter, a share (`near`) is a frame in which these
    tokens are a little out of place. Such frames are rare, and without them a critic takes a thing that lies 4 cm off
    for one in its place."""

    here: float = 0.10
    following: float = 0.15
    later: float = 0.20
    same: float = 0.40
    reach: int = 30
    near: float = 0.0


class EncodedFrames(NamedTuple):
    """The frames of a data set as the model sees them: `latents` (N, D) of their pictures, and the latent (`expected`,
    (N, D)) and scaled `proprio` (N, P) that the model predicts of each from the frame before and the action there.

    A decision is made one block ahead and rests on a prediction, so critic and actor learn from predictions. Real
    pictures leak the next action, because the arm has already started it. A policy trained on them copies that motion,
    and at run time never starts.
    """

    latents: Tensor
    expected: Tensor
    proprio: Tensor


class HindsightSampler:
    """Draws (state, next state, goal) triples from encoded episodes.

    `views` hold the same frames, each time with other augmentation; a state and its goal are always taken from the same
    view. `actions` (N, A), without noise, are aligned with the cache's frames. With a share of `masks` above 0, that
    share of the goals is masked, over the tokens of `layout`.
    """

    def __init__(
        self,
        cache: FrameCache,
        episodes: NDArray[np.int64],
        views: Sequence[EncodedFrames],
        actions: Tensor,
        masks: float = 0.0,
        layout: TokenLayout = FLAT,
    ) -> None:
        firsts, ends = cache.starts[episodes], cache.starts[episodes] + cache.lengths[episodes]
        # The last frame of an episode has no successor. At the first frame nothing has been decided yet: a policy that
        # learns from the standstill there never starts to move.
        self._frames = np.concatenate([np.arange(f + 1, e - 1) for f, e in zip(firsts, ends, strict=True)])
        counts = np.maximum(ends - 2 - firsts, 0)
        self._firsts, self._ends = np.repeat(firsts, counts), np.repeat(ends, counts)
        # (V, N, ...) each, so that a row is found by its view and its number.
        self._views = EncodedFrames(*(torch.stack(each) for each in zip(*views, strict=True)))
        self._actions = actions
        self._masks = GoalMasks(masks, layout, views[0].latents, self._frames) if masks else None

    def draw(self, count: int, rng: np.random.Generator, mix: GoalMix, noise: float) -> dict[str, Tensor]:
        """Return a batch of `count` examples by name. `noise` is the standard deviation of what is added to the
        latents of states and goals."""
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
        # State and goal have the same augmentation. With another camera pose for the goal, displaced objects would look
        # like objects in place, and critic and actor would learn to accept them.
        views = self._views
        view = torch.randint(len(views.latents), (count,), generator=torch_rng)

        wanted = None if self._masks is None else self._masks.draw(count, rng)
        if self._masks is not None and wanted is not None and mix.near > 0.0:
            unreached = torch.from_numpy((kind >= edges[2]) & (rng.random(count) < mix.near))
            near = (unreached & self._masks.few(wanted)).nonzero().flatten()
            there[near] = self._near(view[near], here[near], wanted[near], rng)

        def noisy(latents: Tensor) -> Tensor:
            return latents + noise * torch.randn(latents.shape, generator=torch_rng)

        batch = {
            "latent": noisy(views.expected[view, here]),
            "next_latent": noisy(views.expected[view, following]),
            "goal": noisy(views.latents[view, there]),
            "proprio": views.proprio[view, here],
            "next_proprio": views.proprio[view, following],
            "action": self._actions[here],
            "here": (there == here).float(),
            "arrives": (there == following).float(),
        }
        if self._masks is None or wanted is None:
            return batch
        goals = views.latents[view, there]
        for name, index in (("here", here), ("arrives", following)):
            batch[name][self._masks.agree(views.latents[view, index], goals, wanted)] = 1.0
        return {**batch, "wanted": wanted}

    def _near(self, view: Tensor, here: Tensor, wanted: Tensor, rng: np.random.Generator) -> Tensor:
        """Return the frames (B,) in which the tokens `wanted` (B, K) are a little elsewhere than in the frames `here`
        (B,), both as in each one's `view` (B,)."""
        assert self._masks is not None, "draw() has checked"
        some = torch.from_numpy(self._frames[rng.integers(0, len(self._frames), (len(here), CANDIDATES))])
        latents = self._views.latents
        chosen = self._masks.nearest(latents[view, here], latents[view[:, None], some], wanted)
        return some[torch.arange(len(here)), chosen]
