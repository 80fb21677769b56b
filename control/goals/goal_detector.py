"""Decides from pictures alone whether the goal is reached: the picture matches the goal and has stopped approaching it.

Two pictures are compared by the mean squared difference of their latents. Close to the goal this resolves what the
critic, which counts blocks, cannot, such as a cube 1 cm off from one 4 cm off. Among many objects, however, an arm half
a table away changes the latent less than one moved object does. The critic notices that, so both must agree.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.decision_config import GoalDetectionConfig
from control.goals.latent_goal import latent_distance
from perception.model.entities.layout import FLAT, TokenLayout

QUANTILE = 0.9


@torch.inference_mode()
def block_change(
    latents: Tensor, starts: NDArray[np.int64], lengths: NDArray[np.int64], layout: TokenLayout = FLAT
) -> float:
    """Return the 90th percentile of the difference between consecutive latents (N, D), within the episodes given by
    `starts` and `lengths` (E,)."""
    frames = torch.from_numpy(np.concatenate([np.arange(s, s + n - 1) for s, n in zip(starts, lengths, strict=True)]))
    change = latent_distance(latents[frames], latents[frames + 1], layout)
    return float(change.quantile(QUANTILE))


class GoalDetector:
    """Watches the difference and the critic's distance between successive pictures and one goal.

    The goal is reached when (1) the difference is at most `block_change`, (2) the critic's distance is at most `near`
    blocks, and (3) `settled` pictures in a row show no progress, because the arm may still be approaching. If the
    difference exceeds `sure` × `block_change`, `doubting` pictures are required instead.
    """

    def __init__(self, block_change: float, config: GoalDetectionConfig) -> None:
        self._block_change = block_change
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Forget the smallest difference and the count of settled pictures."""
        self._best = np.inf
        self._settled = 0

    def update(self, difference: float, blocks: float) -> bool:
        """Update with the newest picture's `difference` from the goal and its distance in `blocks`; return whether the
        goal is reached."""
        config = self._config
        if not (difference <= self._block_change and blocks <= config.near):
            self.reset()
            return False
        progress = difference < config.progress * self._best
        self._best = min(self._best, difference)
        self._settled = 0 if progress else self._settled + 1
        return self._settled >= (config.settled if difference <= config.sure * self._block_change else config.doubting)
