"""Compares a state with a goal thing by thing: each token with the token that is wanted in its place.

What is learnt of one thing serves for every thing: all pairs have the same weights, and each sees the sum of all. It
makes no difference which token holds which thing, as long as state and goal agree on it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from control.policy.mlp import Perceptron
from perception.model.token_block import TokenBlock

WIDTH = 128
"""The size of a pair's embedding."""
DEPTH = 3
"""The number of residual blocks that each pair passes alone."""


class PairComparison(nn.Module):
    """A `Comparison` of latents that are K `entities`, tokens of d numbers each.

    A goal's token may be masked, which means that it does not matter. Its numbers then have no influence.
    """

    def __init__(self, entities: int, token: int, proprio: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.entities = entities
        self.now = nn.Linear(2 * token + proprio, WIDTH, bias=False)
        self.goal = nn.Linear(token + 1, WIDTH)
        self.settle = nn.LayerNorm(WIDTH)
        self.alone = nn.Sequential(*(TokenBlock(WIDTH) for _ in range(DEPTH)))
        self.own = nn.Linear(WIDTH, WIDTH)
        self.all = nn.Linear(WIDTH, WIDTH, bias=False)
        self.settle_again = nn.LayerNorm(WIDTH)
        self.judge = Perceptron(WIDTH, outputs, hidden)

    def begin_at(self, value: float) -> None:
        """Make all outputs lie near `value` before training."""
        self.judge.begin_at(value)

    def compare(self, latent: Tensor, measured: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the outputs as `Comparison.compare` does."""
        return self.for_goal(goal, wanted)(latent, measured)

    def for_goal(self, goal: Tensor, wanted: Tensor | None = None) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function as `Comparison.for_goal` does. For goals (B, D) it takes B states, each with its own."""
        dtype = self.now.weight.dtype
        goals = goal.unflatten(-1, (self.entities, -1))
        mask = goals.new_ones((*goals.shape[:-1], 1)) if wanted is None else wanted.unsqueeze(-1)
        goals = goals * mask
        known = self.goal(torch.cat([goals, mask], dim=-1).to(dtype))
        if goal.dim() == 1 and dtype == goal.dtype:
            return self._for_one_goal(goals, mask, known)

        def outputs(latent: Tensor, measured: Tensor) -> Tensor:
            tokens = latent.unflatten(-1, (self.entities, -1))
            arm = measured.unsqueeze(1).expand(-1, self.entities, -1)
            # In full precision, because near the goal the difference is small.
            ahead = goals - tokens * mask
            pairs = self.now(torch.cat([tokens, ahead, arm], dim=-1).to(dtype)) + known
            return self._judged(pairs, latent, 1)

        return outputs

    def _for_one_goal(self, goals: Tensor, mask: Tensor, known: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the function of `for_goal` for one common goal, masked: `goals` (K, d), `mask` (K, 1) and `known`
        (K, WIDTH).

        A token enters by itself and by how far it lies from the goal's token. Both are linear, so one product does for
        both, and a share of what enters is the same for all states.
        """
        size = goals.shape[1]
        token, ahead, arm = self.now.weight.T.split([size, size, self.now.in_features - 2 * size])
        entering = token - mask.unsqueeze(-1) * ahead  # (K, d, WIDTH)
        same = (known + goals @ ahead).unsqueeze(1)

        def outputs(latent: Tensor, measured: Tensor) -> Tensor:
            tokens = latent.unflatten(-1, (self.entities, -1)).transpose(0, 1)
            return self._judged(torch.baddbmm(same, tokens, entering) + measured @ arm, latent, 0)

        return outputs

    def _judged(self, pairs: Tensor, latent: Tensor, things: int) -> Tensor:
        """Return the outputs for the embedded `pairs` (B, K, WIDTH), in the data type of `latent`. `things` is the
        number of the dimension K; 0 if the first two are exchanged."""
        pairs = self.alone(nn.functional.gelu(self.settle(pairs)))
        pairs = nn.functional.gelu(self.settle_again(self.own(pairs) + self.all(pairs.sum(things, keepdim=True))))
        judged: Tensor = self.judge(pairs.sum(things).to(latent.dtype))
        return judged
