"""The doctor: says beforehand whether a model can be planned with, or why not."""

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
CLIPS = 2000
FEWEST_CLIPS = 20
FARTHEST = 20
HELD_OUT_SHARE = 0.05  # of the episodes: the last ones, which training leaves for the doctor


def require_enough(cache: FrameCache, judge: NDArray[np.int64]) -> None:
    """Raise `DatasetError` unless the episodes `judge` are long and many enough to judge a model by."""
    clips = len(_frames(cache, judge, ROLLOUT + 1))
    if clips < FEWEST_CLIPS:
        raise DatasetError(
            f"too little data to judge a model by: the {len(judge)} episode(s) kept for it hold {clips} clips of "
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
    """Return all gates: probes are fitted on the episodes `fit` and everything is judged on the episodes `judge`; the
    entries of a state are called `names`.

    Raises `DatasetError` when those are too few or too short.
    """
    require_enough(cache, judge)
    rng = np.random.default_rng([seed, 78])
    fit_frames = _some(_frames(cache, fit, 0), PROBE_FRAMES, rng)
    judge_frames = _some(_frames(cache, judge, 0), PROBE_FRAMES, rng)
    clips = _some(_frames(cache, judge, ROLLOUT), CLIPS, rng)
    place = {entry.name for entry in TOOL_PLACE}
    tool = [number for number, name in enumerate(names) if name in place]
    gates = world_model_gates(
        parts.model, latents, cache.states, cache.actions, cache.truth, fit_frames, judge_frames, clips, seed, tool
    )
    gates.append(
        Gate(
            "critic against steps to go",
            _critic_order(
                parts.critic, cache, judge, EncodedFrames(latents, *expect_all(parts.model, cache, latents)), rng
            ),
            0.6,
            True,
            "rank correlation",
        )
    )
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
    critic: Critic, cache: FrameCache, episodes: NDArray[np.int64], seen: EncodedFrames, rng: np.random.Generator
) -> float:
    """Return Spearman's rank correlation of the critic's distance, from what is expected of a frame as in decisions,
    with the blocks that play took, up to `FARTHEST`; 0 for a critic that says the same of everything."""
    farthest = min(FARTHEST, int(cache.lengths[episodes].max()) - 1)
    frames = _some(_frames(cache, episodes, farthest), CLIPS, rng)
    steps = rng.integers(1, farthest + 1, len(frames))
    here, there = torch.from_numpy(frames), torch.from_numpy(frames + steps)
    distance = critic.distance(seen.expected[here], seen.proprio[here], seen.latents[there]).numpy()
    ranks = [_ranks(values) for values in (distance, steps)]
    if any(values.std() == 0 for values in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of each of `values` (N,); equal ones share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[which]


def _frames(cache: FrameCache, episodes: NDArray[np.int64], room: int) -> NDArray[np.int64]:
    """Return the frames of `episodes` that have at least `room` frames after them."""
    return np.concatenate(
        [np.arange(cache.starts[e], cache.starts[e] + max(0, cache.lengths[e] - room)) for e in episodes]
    )


def _some(frames: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most `count` of `frames`, in order."""
    if len(frames) <= count:
        return frames
    return np.sort(rng.choice(frames, count, replace=False))
