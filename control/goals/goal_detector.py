"""Whether the goal is reached, found from pictures alone: the world looks like it, and comes no nearer.

How alike two pictures look is the mean squared difference of their latents. Near a goal it tells apart what a critic,
which counts blocks, cannot: a cube that lies a centimetre off from one that lies four off. But an arm that is half a
table away changes a picture full of things less than one of them does, and that the critic does not overlook.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

QUANTILE = 0.9
PROGRESS = 0.7
"""A picture that differs from the goal by less than this share of the best one before it shows an arm on its way."""
SETTLED = 2
"""Pictures in a row that show no progress before the goal counts as reached."""
SURE = 0.06
"""A picture that differs from the goal by less than this share of what one block changes leaves no doubt: what moves
the arm by two centimetres changes more."""

NEAR = 3.0
"""Blocks to the goal, by the critic, beyond which it is not reached, however alike the pictures look. Where one is
reached the critic says half a block, and nine times in ten no more than two and a half."""


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

    The goal is reached when the world differs from it by no more than `one_block` changes, is no more than `NEAR`
    blocks away, and `SETTLED` pictures in a row have shown no progress; so an arm that is still on its way there is not
    taken for one that has arrived.
    While there is doubt it takes `doubting` pictures instead.
    """

    def __init__(self, one_block: float, doubting: int = SETTLED) -> None:
        self._one_block = one_block
        self._doubting = doubting
        self.forget()

    def forget(self) -> None:
        """Begin anew, with another goal."""
        self._best = np.inf
        self._settled = 0

    def see(self, difference: float, blocks: float) -> bool:
        """Take in how much the newest picture differs from the goal, and how many blocks away that is; return whether
        the goal is reached."""
        if not (difference <= self._one_block and blocks <= NEAR):
            self.forget()
            return False
        progress = difference < PROGRESS * self._best
        self._best = min(self._best, difference)
        self._settled = 0 if progress else self._settled + 1
        return self._settled >= (SETTLED if difference <= SURE * self._one_block else self._doubting)
