"""The doctor's measurements of a world model: whether its latents hold what planning needs.

Each gate is one number, measured on held-out frames and compared with a threshold. Models that planned well have passed
all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.checkpoint.card import Gate
from perception.model.entities.layout import layout_of
from perception.model.world_model import WorldModel
from perception.training_data.frame_cache import FrameCache

RANDOM_ACTIONS = 64
ROLLOUT = 5
RIDGE = 1e-3
SMALLEST = 1e-12
"""A variance or an error up to this counts as none."""


class Clips(NamedTuple):
    """C held-out clips of T blocks: `latents` (C, T + 1, D), scaled `proprio` (C, T + 1, P) and `actions` (C, T, A),
    and the latents `before` (C, D) of the frames before the clips, from which a context of two predicts as well."""

    latents: Tensor
    proprio: Tensor
    actions: Tensor
    before: Tensor


def effective_rank(latents: Tensor) -> float:
    """Return exp of the entropy of the normalised singular values of centred `latents` (N, D) (Roy & Vetterli 2007,
    on the variances); 0 when all latents are the same."""
    variances = torch.linalg.svdvals(latents - latents.mean(0)) ** 2
    total = float(variances.sum())
    if total <= SMALLEST:
        return 0.0
    share = variances / total
    return float(torch.exp(-(share * (share + 1e-12).log()).sum()))


def probe_error(train_x: Tensor, train_y: Tensor, test_x: Tensor, test_y: Tensor) -> float:
    """Return the median Euclidean error (units of y) of a ridge regression from latents (N, D) to `y` (N, K)."""
    mean_x, mean_y = train_x.mean(0), train_y.mean(0)
    x = (train_x - mean_x).double()
    gram = x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(gram, x.T @ (train_y - mean_y).double())
    guess = (test_x - mean_x).double() @ weights + mean_y.double()
    return float((guess - test_y.double()).norm(dim=-1).median())


@torch.inference_mode()
def rollout_ratio(model: WorldModel, clips: Clips, rng: np.random.Generator) -> float:
    """Return the error of the last imagined latents under shuffled actions, divided by that under the true actions."""
    latents, proprio, actions, before = clips
    shuffled_actions = actions[torch.from_numpy(rng.permutation(len(actions)))]
    true, _ = model.rollout(latents[:, 0], proprio[:, 0], actions, before)
    shuffled, _ = model.rollout(latents[:, 0], proprio[:, 0], shuffled_actions, before)
    target = latents[:, -1]
    # A collapsed model has no error under any actions. The ratio is then 0, which fails the gate, and not NaN.
    return float(((shuffled[:, -1] - target) ** 2).mean() / ((true[:, -1] - target) ** 2).mean().clamp(min=SMALLEST))


@torch.inference_mode()
def action_rank(model: WorldModel, clips: Clips, rng: np.random.Generator) -> float:
    """Return the mean rank in [0, 1] of the true first action among random ones, by the distance of its imagined latent
    from the true next one; 0 means always best, 0.5 is chance. Ties count half, so that a model that ignores actions is
    at chance."""
    latents, proprio, actions, before = clips
    number, size = len(actions), actions.shape[-1]
    others = torch.from_numpy(rng.uniform(-1, 1, (number, RANDOM_ACTIONS, size)).astype(np.float32))
    candidates = torch.cat([actions[:, :1], others], dim=1).flatten(0, 1)
    count = RANDOM_ACTIONS + 1
    now, proprio_now, earlier = (each.repeat_interleave(count, 0) for each in (latents[:, 0], proprio[:, 0], before))
    imagined, _ = model.predictor(now, proprio_now, candidates, earlier)
    error = ((imagined.unflatten(0, (number, count)) - latents[:, 1:2]) ** 2).mean(-1)
    others_error, true_error = error[:, 1:], error[:, :1]
    better, equal = (others_error < true_error).float(), (others_error == true_error).float()
    return float((better + 0.5 * equal).mean())


def world_model_gates(
    model: WorldModel,
    cache: FrameCache,
    latents: Tensor,
    fit_frames: NDArray[np.int64],
    judge_frames: NDArray[np.int64],
    clip_starts: NDArray[np.int64],
    seed: int,
    tool: Sequence[int],
) -> list[Gate]:
    """Return the gates of encoder and predictor, from the `latents` (N, D) of all frames of `cache`.

    `fit_frames` fit the probes, `judge_frames` judge them; at `clip_starts` (C,) held-out clips of `ROLLOUT` blocks
    begin. `tool` are the entries of a state that give the tool's position, none where there is no tool.

    Effective rank: the number of dimensions that the latents fill; a low one is a collapse. Each entity token counts as
    a sample of its own, as it does in training. Probes: the error with which a linear map reads the tool's and the
    objects' positions out of a latent; the worst object counts. Rollout error: how much larger the error after
    `ROLLOUT` imagined blocks is under the actions of other clips. Rank of the true action: the share of random actions
    that explain the next picture better.
    """
    rng = np.random.default_rng([seed, 77])
    fit, judge = torch.from_numpy(fit_frames), torch.from_numpy(judge_frames)
    samples = layout_of(model.encoder).tokens(latents[judge]).flatten(0, 1)
    gates = [Gate("effective rank", effective_rank(samples), 8.0, True, "dimensions")]
    if tool:
        where = torch.from_numpy(cache.states[:, list(tool)])
        error = probe_error(latents[fit], where[fit], latents[judge], where[judge])
        gates.append(Gate("end-effector probe", 100 * error, 1.5, False, "cm"))
    if cache.truth is not None:
        truth = cache.truth
        errors = [_object_error(latents, truth[:, k], fit_frames, judge_frames) for k in range(truth.shape[1])]
        known = [error for error in errors if error is not None]
        if known:
            gates.append(Gate("object probe", 100 * max(known), 2.0, False, "cm"))
    clips = _clips(model, cache, latents, clip_starts)
    ratio = rollout_ratio(model, clips, rng)
    gates.append(Gate("rollout error, shuffled over true actions", ratio, 3.0, True, "×"))
    gates.append(Gate("rank of the true action", action_rank(model, clips, rng), 0.15, False, "of 1, chance 0.5"))
    return gates


def _clips(model: WorldModel, cache: FrameCache, latents: Tensor, starts: NDArray[np.int64]) -> Clips:
    """Return the clips of `ROLLOUT` blocks that begin at the frames `starts` (C,)."""
    index = starts[:, None] + np.arange(ROLLOUT + 1)
    return Clips(
        latents=latents[torch.from_numpy(index)],
        proprio=model.normaliser(torch.from_numpy(cache.states[index])),
        actions=torch.from_numpy(cache.actions[index[:, :-1]]),
        before=latents[torch.from_numpy(cache.frames_before()[starts])],
    )


def _object_error(
    latents: Tensor, where: NDArray[np.float32], fit_frames: NDArray[np.int64], judge_frames: NDArray[np.int64]
) -> float | None:
    """Return the probe error (m) of one object, on the frames where its position `where` (N, 3) is known; None when it
    is known in none of `fit_frames` or in none of `judge_frames`."""
    fit, judge = (torch.from_numpy(f[np.isfinite(where[f]).all(-1)]) for f in (fit_frames, judge_frames))
    if not len(fit) or not len(judge):
        return None
    positions = torch.from_numpy(where)
    return probe_error(latents[fit], positions[fit], latents[judge], positions[judge])
