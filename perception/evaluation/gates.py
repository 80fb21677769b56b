"""The doctor's measurements of a world model: whether its latents hold what planning needs.

Each is one number on held-out frames, compared with a threshold that models which planned well have passed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.checkpoint.card import Gate
from perception.model.world_model import WorldModel

RANDOM_ACTIONS = 64
ROLLOUT = 5
RIDGE = 1e-3
SMALLEST = 1e-12  # what counts as no variance and no error


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
def rollout_ratio(
    model: WorldModel, latents: Tensor, proprio: Tensor, actions: Tensor, rng: np.random.Generator
) -> float:
    """Return the imagined latents' error with shuffled actions over that with the true ones, after `ROLLOUT` blocks.

    Clips: `latents` (C, T + 1, D), scaled `proprio` (C, T + 1, P), `actions` (C, T, A).
    """
    true, _ = model.rollout(latents[:, 0], proprio[:, 0], actions)
    shuffled, _ = model.rollout(latents[:, 0], proprio[:, 0], actions[torch.from_numpy(rng.permutation(len(actions)))])
    target = latents[:, -1]
    # A collapsed model errs nowhere, whatever the actions: that is 0 here, not a number that nobody can compare.
    return float(((shuffled[:, -1] - target) ** 2).mean() / ((true[:, -1] - target) ** 2).mean().clamp(min=SMALLEST))


@torch.inference_mode()
def action_rank(
    model: WorldModel, latents: Tensor, proprio: Tensor, actions: Tensor, rng: np.random.Generator
) -> float:
    """Return the mean rank in [0, 1] of the true first action among random ones, by how near its imagined latent comes
    to the true next one; 0 is always best, 0.5 is chance. Equals count half, so that a model which does not heed
    actions is at chance. Shapes as in `rollout_ratio`."""
    clips, size = len(actions), actions.shape[-1]
    others = torch.from_numpy(rng.uniform(-1, 1, (clips, RANDOM_ACTIONS, size)).astype(np.float32))
    candidates = torch.cat([actions[:, :1], others], dim=1).flatten(0, 1)
    count = RANDOM_ACTIONS + 1
    imagined, _ = model.predictor(
        latents[:, 0].repeat_interleave(count, 0), proprio[:, 0].repeat_interleave(count, 0), candidates
    )
    error = ((imagined.unflatten(0, (clips, count)) - latents[:, 1:2]) ** 2).mean(-1)
    others_error, true_error = error[:, 1:], error[:, :1]
    better, equal = (others_error < true_error).float(), (others_error == true_error).float()
    return float((better + 0.5 * equal).mean())


def world_model_gates(
    model: WorldModel,
    latents: Tensor,
    states: NDArray[np.float32],
    actions: NDArray[np.float32],
    truth: NDArray[np.float32] | None,
    train_frames: NDArray[np.int64],
    test_frames: NDArray[np.int64],
    clip_starts: NDArray[np.int64],
    seed: int,
    tool: Sequence[int],
) -> list[Gate]:
    """Return the gates of encoder and predictor.

    `latents` (N, D), `states` (N, P) SI units, `actions` (N, A) and `truth` (N, K, 3) positions in m of K objects, NaN
    where absent, cover the cache; `train_frames` fit the probes, `test_frames` judge them, `clip_starts` (C,) begin
    held-out clips. `tool` are the entries of a state that say where the tool is, none where there is no tool.

    effective rank: how many dimensions the latents fill; few are a collapse. Probes: how exactly a linear map reads the
    tool's and the objects' positions out of a latent, the worst object counts. Rollout error: how much worse `ROLLOUT`
    blocks are imagined under actions of other clips. Rank of the true action: how many random actions explain the next
    picture better.
    """
    rng = np.random.default_rng([seed, 77])
    fit, judge = torch.from_numpy(train_frames), torch.from_numpy(test_frames)
    gates = [Gate("effective rank", effective_rank(latents[judge]), 8.0, True, "dimensions")]
    if tool:
        where = torch.from_numpy(states[:, list(tool)])
        error = probe_error(latents[fit], where[fit], latents[judge], where[judge])
        gates.append(Gate("end-effector probe", 100 * error, 1.5, False, "cm"))
    if truth is not None:
        errors = [_object_error(latents, truth[:, k], train_frames, test_frames) for k in range(truth.shape[1])]
        known = [error for error in errors if error is not None]
        if known:
            gates.append(Gate("object probe", 100 * max(known), 2.0, False, "cm"))
    index = clip_starts[:, None] + np.arange(ROLLOUT + 1)
    clips = latents[torch.from_numpy(index)]
    proprio = model.normaliser(torch.from_numpy(states[index]))
    done = torch.from_numpy(actions[index[:, :-1]])
    gates.append(
        Gate(
            "rollout error, shuffled over true actions", rollout_ratio(model, clips, proprio, done, rng), 3.0, True, "×"
        )
    )
    gates.append(
        Gate("rank of the true action", action_rank(model, clips, proprio, done, rng), 0.15, False, "of 1, chance 0.5")
    )
    return gates


def _object_error(
    latents: Tensor, where: NDArray[np.float32], train_frames: NDArray[np.int64], test_frames: NDArray[np.int64]
) -> float | None:
    """Return the probe error (m) of one object, on the frames where its position `where` (N, 3) is known; None when it
    is in none of those to fit on, or of those to judge on."""
    fit, judge = (torch.from_numpy(f[np.isfinite(where[f]).all(-1)]) for f in (train_frames, test_frames))
    if not len(fit) or not len(judge):
        return None
    positions = torch.from_numpy(where)
    return probe_error(latents[fit], positions[fit], latents[judge], positions[judge])
