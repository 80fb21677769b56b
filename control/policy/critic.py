"""The critic: how many blocks from a state to a goal picture, learnt from play by implicit V-learning.

A reward of −1 a block until the goal makes the discounted value a temporal distance; expectile regression
(Kostrikov et al., "IQL", 2021; goal-conditioned in Park et al., "HIQL", 2023) lets it follow the best that the data
shows rather than the average. Two networks, the smaller value counts; their targets move slowly.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from control.policy.command_mask import CommandMask
from control.policy.mlp import HIDDEN, Perceptron

FIRST_VALUE = -0.6
"""Of the way from the worst value to 0, what everything is worth before anything is learnt. Far rather than near: a
distance that play never went is only ever unlearnt a block at a time."""


class Critic(nn.Module):
    """Value of (latent, scaled proprio) for reaching a goal latent; the goal is a picture alone: it has no proprio."""

    def __init__(
        self, latent: int, proprio: int, discount: float, commands: Collection[int] = (), hidden: int = HIDDEN
    ) -> None:
        """`commands` are the entries of proprio that it shall not see; its layers are `hidden` wide."""
        super().__init__()
        self.discount = discount
        self.command_mask = CommandMask(proprio, commands)
        self.networks = nn.ModuleList(Perceptron(2 * latent + self.command_mask.size, 1, hidden) for _ in range(2))
        for network in cast(Iterable[Perceptron], self.networks):
            network.begin_at(FIRST_VALUE / (1.0 - discount))

    def values(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> Tensor:
        """Return both networks' values (2, B), between −1 / (1 − discount) and about 0."""
        state = torch.cat([latent, self.command_mask(proprio), goal], dim=-1)
        return torch.stack([network(state).squeeze(-1) for network in self.networks])

    def forward(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> Tensor:
        """Return the smaller value (B,)."""
        return self.values(latent, proprio, goal).amin(0)

    def towards(self, goal: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the same as `forward` for states that all have the `goal` (D,), in less time."""
        networks = [network.given(goal) for network in cast(Iterable[Perceptron], self.networks)]

        def smaller(latent: Tensor, proprio: Tensor) -> Tensor:
            state = torch.cat([latent, self.command_mask(proprio)], dim=-1)
            return torch.stack([network(state).squeeze(-1) for network in networks]).amin(0)

        return smaller

    def distance(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> Tensor:
        """Return the temporal distance (B,) in blocks that the mean value stands for."""
        value = self.values(latent, proprio, goal).mean(0)
        # V = −(1 − γ^d) / (1 − γ), solved for d; values past the ends are cut to the distances they can mean.
        remaining = (1.0 + value * (1.0 - self.discount)).clamp(1e-3, 1.0)
        return remaining.log() / math.log(self.discount)


class CriticLoss(nn.Module):
    """The critic in training, with its slow targets."""

    def __init__(self, critic: Critic, expectile: float = 0.9, target_rate: float = 0.005) -> None:
        super().__init__()
        self.critic = critic
        self.target = copy.deepcopy(critic).requires_grad_(False)
        self.expectile = expectile
        self.target_rate = target_rate

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the expectile loss for `latent`, `next_latent`, `goal` (B, D), `proprio`, `next_proprio` (B, P),
        `here` (B,) 1 where the state is the goal itself, `arrives` (B,) 1 where the next state is."""
        with torch.no_grad():
            following = self.target(batch["next_latent"], batch["next_proprio"], batch["goal"])
            following = following.clamp(-1.0 / (1.0 - self.critic.discount), 0.0)
            wanted = -1.0 + self.critic.discount * (1.0 - batch["arrives"]) * following
            wanted = wanted * (1.0 - batch["here"])
        values = self.critic.values(batch["latent"], batch["proprio"], batch["goal"])
        error = wanted - values
        weight = torch.where(error > 0, self.expectile, 1.0 - self.expectile)
        # At the goal itself the value is known, so there is nothing to be optimistic about.
        weight = torch.where(batch["here"] > 0, 0.5, weight)
        return {"loss": (weight * error**2).mean(), "value": values.mean()}

    @torch.no_grad()
    def move_target(self) -> None:
        """Let the targets follow by `target_rate`."""
        for slow, fast in zip(self.target.parameters(), self.critic.parameters(), strict=True):
            slow.lerp_(fast, self.target_rate)
