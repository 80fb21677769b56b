"""The doctor: measures, before any arm moves, whether a model is fit for planning, and gives the reasons if not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.learning.hindsight import EncodedFrames
from control.model.trained_model import Parts
from control.policy.critic import Critic
from perception.checkpoint.card import Gate
from perception.evaluation.gates import ROLLOUT, world_model_gates
from perception.training.world_model import expect_all
from perception.training_data.frame_cache import FrameCache
from robot.embodiment.state_entries import TOOL_PLACE
from robot.errors import DatasetError

PROBE_FRAMES = 8000
"""The largest number of frames that probes are fitted on, and of those they are judged on."""
CLIPS = 2000
FEWEST_CLIPS = 20
FARTHEST = 20
"""The largest number of blocks over which the critic is judged."""
HELD_OUT_SHARE = 0.05
"""Share of the episodes, the last ones, that training holds out for the doctor."""


def require_enough(cache: FrameCache, judge: NDArray[np.int64]) -> None:
    """Raise `DatasetError` unless the episodes `judge` hold enough clips to judge a model by."""
    clips = len(_frames(cache, judge, ROLLOUT + 1))
    if clips < FEWEST_CLIPS:
        raise DatasetError(
            f"too little data to judge a model by: the {len(judge)} held-out episode(s) hold {clips} clips of "
            f"{ROLLOUT + 2} frames, and at least {FEWEST_CLIPS} are needed; record more or longer episodes"
        )


def examine(
    parts: Parts,
    cache: FrameCache,
    latents: Tensor,
    fit: NDArray[np.int64],
    judge: NDArray[np.int64],
    names: Sequence[str],
    seed: int = 0,
) -> list[Gate]:
    """Return all gates, from the `latents` (N, D) of all frames of `cache`. Probes are fitted on the episodes `fit`;
    everything is judged on the episodes `judge`. `names` are those of a state's entries.

    Raises `DatasetError` when the episodes `judge` are too few or too short.
    """
    require_enough(cache, judge)
    rng = np.random.default_rng([seed, 78])
    fit_frames = _sample(_frames(cache, fit, 0), PROBE_FRAMES, rng)
    judge_frames = _sample(_frames(cache, judge, 0), PROBE_FRAMES, rng)
    clips = _sample(_frames(cache, judge, ROLLOUT), CLIPS, rng)
    place = {entry.name for entry in TOOL_PLACE}
    tool = [number for number, name in enumerate(names) if name in place]
    gates = world_model_gates(parts.model, cache, latents, fit_frames, judge_frames, clips, seed, tool)
    frames = EncodedFrames(latents, *expect_all(parts.model, cache, latents))
    order = _critic_order(parts.critic, cache, judge, frames, rng)
    gates.append(Gate("critic against steps to go", order, 0.6, True, "rank correlation"))
    return gates


def verdict(gates: Sequence[Gate]) -> str:
    """Return "plannable", or the reasons why not."""
    failed = [gate for gate in gates if not gate.passed]
    if not failed:
        return "plannable"
    reasons = [
        f"{gate.name} is {gate.value:.2f} and should be {'at least' if gate.above else 'at most'} {gate.threshold:g} "
        f"({gate.unit})"
        for gate in failed
    ]
    return "not plannable: " + "; ".join(reasons)


@torch.inference_mode()
def _critic_order(
    critic: Critic, cache: FrameCache, episodes: NDArray[np.int64], encoded: EncodedFrames, rng: np.random.Generator
) -> float:
    """Return Spearman's rank correlation between the critic's distance and the number of blocks that play took, up to
    `FARTHEST`. As in decisions, the critic sees the predicted state. 0 for a critic whose distances are all equal."""
    farthest = min(FARTHEST, int(cache.lengths[episodes].max()) - 1)
    frames = _sample(_frames(cache, episodes, farthest), CLIPS, rng)
    steps = rng.integers(1, farthest + 1, len(frames))
    here, there = torch.from_numpy(frames), torch.from_numpy(frames + steps)
    distance = critic.distance(encoded.expected[here], encoded.proprio[here], encoded.latents[there]).numpy()
    ranks = [_ranks(values) for values in (distance, steps)]
    if any(values.std() == 0 for values in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of each of `values` (N,). Equal values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[which]


def _frames(cache: FrameCache, episodes: NDArray[np.int64], following: int) -> NDArray[np.int64]:
    """Return the frames of `episodes` that have at least `following` frames after them."""
    return np.concatenate(
        [np.arange(cache.starts[e], cache.starts[e] + max(0, cache.lengths[e] - following)) for e in episodes]
    )


def _sample(frames: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `count` of `frames`, drawn at random, in order."""
    if len(frames) <= count:
        return frames
    return np.sort(rng.choice(frames, count, replace=False))
