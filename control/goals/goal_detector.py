"""Whether the goal is reached, found from pictures alone: the world looks like it, and comes no nearer.

Two pictures are compared by the mean squared difference of their latents. Near a goal it tells apart what a critic,
which counts blocks, cannot: a cube that lies a centimetre off from one that lies four off. But an arm that is half a
table away changes a picture full of things less than one of them does, and that the critic does not overlook.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from control.decision_config import GoalDetectionConfig

QUANTILE = 0.9


@torch.inference_mode()
def block_change(latents: Tensor, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> float:
    """Return by how much one block changes the latents (N, D) at most, nine times in ten: the mean squared difference
    of neighbours within the episodes that `starts` and `lengths` (E,) tell."""
    frames = torch.from_numpy(np.concatenate([np.arange(s, s + n - 1) for s, n in zip(starts, lengths, strict=True)]))
    change = difference(latents[frames], latents[frames + 1])
    return float(change.quantile(QUANTILE))


def difference(latents: Tensor, others: Tensor) -> Tensor:
    """Return the mean squared difference (...) of latents (..., D)."""
    return ((latents - others) ** 2).mean(-1)


class GoalDetector:
    """Watches the difference from one goal, and the blocks to it, picture after picture.

    The goal is reached when the world differs from it by no more than `one_block` changes, is no more than `near`
    blocks away, and `settled` pictures in a row have shown no progress; so an arm that is still on its way there is not
    taken for one that has arrived. While there is doubt it takes `doubting` pictures instead.
    """

    def __init__(self, one_block: float, config: GoalDetectionConfig) -> None:
        self._one_block = one_block
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Begin anew, with another goal."""
        self._best = np.inf
        self._settled = 0

    def see(self, difference: float, blocks: float) -> bool:
        """Take in how much the newest picture differs from the goal, and how many blocks away that is; return whether
        the goal is reached."""
        config = self._config
        if not (difference <= self._one_block and blocks <= config.near):
            self.forget()
            return False
        progress = difference < config.progress * self._best
        self._best = min(self._best, difference)
        self._settled = 0 if progress else self._settled + 1
        return self._settled >= (config.settled if difference <= config.sure * self._one_block else config.doubting)
