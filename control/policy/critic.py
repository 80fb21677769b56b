"""The critic: the number of blocks from a state to a goal picture, learnt from play by implicit V-learning.

With a reward of −1 for each block until the goal, the discounted value is a temporal distance. Expectile regression
(Kostrikov et al., "IQL", 2021; goal-conditioned in Park et al., "HIQL", 2023) makes the value follow the best outcomes
in the data rather than the average. There are two networks, of which the smaller value is used. Their targets follow
slowly.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from control.policy.command_mask import CommandMask
from control.policy.comparison import Comparison, masked, new_comparison
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModelConfig

FIRST_VALUE = -0.6
"""Initial value of every state, as a multiple of 1 / (1 − discount). All goals are far at first, because a distance
that never occurs in play would be corrected by only one block at a time."""


class Critic(nn.Module):
    """Value of (latent, scaled proprio) for reaching a goal latent. A goal is only a picture, so it has no proprio.

    `config` gives the lengths of latent and proprio, and the commanded entries of proprio, which the critic does not
    see; `heads` gives the discount and the width of the hidden layers.
    """

    def __init__(self, config: WorldModelConfig, heads: HeadsConfig) -> None:
        super().__init__()
        self.discount = heads.discount
        self.command_mask = CommandMask(config.proprio, config.commands)
        self.networks = nn.ModuleList(new_comparison(config, self.command_mask.size, 1, heads) for _ in range(2))
        for network in self._comparisons:
            network.begin_at(FIRST_VALUE / (1.0 - heads.discount))

    def values(self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return both networks' values (2, B), between −1 / (1 − discount) and about 0. `wanted` masks the goal as in
        `Comparison.compare`."""
        measured = self.command_mask(proprio)
        compared = [each.compare(latent, measured, goal, wanted) for each in self._comparisons]
        return torch.stack([value.squeeze(-1) for value in compared])

    def forward(self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the smaller value (B,)."""
        return self.values(latent, proprio, goal, wanted).amin(0)

    def for_goal(self, goal: Tensor, wanted: Tensor | None = None) -> Callable[[Tensor, Tensor], Tensor]:
        """Return `forward` as a function of latent and proprio, for one common `goal` (D,) and `wanted` (K,). It is
        faster."""
        compared = [each.for_goal(goal, wanted) for each in self._comparisons]

        def smaller(latent: Tensor, proprio: Tensor) -> Tensor:
            measured = self.command_mask(proprio)
            return torch.stack([each(latent, measured).squeeze(-1) for each in compared]).amin(0)

        return smaller

    def distance(self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the temporal distance (B,) in blocks that corresponds to the mean of both values."""
        value = self.values(latent, proprio, goal, wanted).mean(0)
        # V = −(1 − γ^d) / (1 − γ), solved for d. A value outside the range of distances is clamped to it.
        remaining = (1.0 + value * (1.0 - self.discount)).clamp(1e-3, 1.0)
        return remaining.log() / math.log(self.discount)

    @property
    def _comparisons(self) -> Iterable[Comparison]:
        return cast(Iterable[Comparison], self.networks)


class CriticLoss(nn.Module):
    """The critic's loss, and the slowly moving copy of the critic that its targets come from."""

    def __init__(self, critic: Critic, expectile: float = 0.9, target_rate: float = 0.005) -> None:
        super().__init__()
        self.critic = critic
        self.target = copy.deepcopy(critic).requires_grad_(False)
        self.expectile = expectile
        self.target_rate = target_rate

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the expectile loss for `latent`, `next_latent`, `goal` (B, D), `proprio`, `next_proprio` (B, P),
        `here` (B,), 1 where the state is the goal itself, and `arrives` (B,), 1 where the next state is; and, where
        goals are masked, `wanted` (B, K)."""
        goal = batch["goal"], *masked(batch)
        with torch.no_grad():
            following = self.target(batch["next_latent"], batch["next_proprio"], *goal)
            following = following.clamp(-1.0 / (1.0 - self.critic.discount), 0.0)
            wanted = -1.0 + self.critic.discount * (1.0 - batch["arrives"]) * following
            wanted = wanted * (1.0 - batch["here"])
        values = self.critic.values(batch["latent"], batch["proprio"], *goal)
        error = wanted - values
        weight = torch.where(error > 0, self.expectile, 1.0 - self.expectile)
        # At the goal itself the value is known, so the regression is symmetric there.
        weight = torch.where(batch["here"] > 0, 0.5, weight)
        return {"loss": (weight * error**2).mean(), "value": values.mean()}

    @torch.no_grad()
    def move_target(self) -> None:
        """Move the target networks towards the critic by the share `target_rate`."""
        for slow, fast in zip(self.target.parameters(), self.critic.parameters(), strict=True):
            slow.lerp_(fast, self.target_rate)
