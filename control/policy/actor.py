"""The actor: what play did next when it later arrived at this goal picture (hindsight behaviour cloning)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import pairwise

import torch
from torch import Tensor, nn

from control.policy.action_mixture import ActionDistribution
from control.policy.command_mask import CommandMask
from control.policy.mlp import HIDDEN, Perceptron

LOG_SPREAD = (-3.0, 0.5)
READING = (384, 256)


class Actor(nn.Module):
    """A distribution over actions for (latent, scaled proprio, goal latent): a mixture of `components`, Gaussian, and
    Bernoulli for the `binary` entries, since the mean of an open and a closed gripper grasps nothing."""

    binary: Tensor

    def __init__(
        self,
        latent: int,
        proprio: int,
        action: int,
        binary: Collection[int] = (),
        components: int = 1,
        commands: Collection[int] = (),
        features: int = 0,
        hidden: int = HIDDEN,
    ) -> None:
        """`commands` are the entries of proprio that it shall not see. State and goal are compared by so many
        `features` that one network reads out of either, so that where a thing is has to be learnt only once; 0
        compares the latents themselves. What decides has layers `hidden` wide."""
        super().__init__()
        self.command_mask = CommandMask(proprio, commands)
        self._shape = (components, 2 * action)
        chances = components if components > 1 else 0  # a single one is certain
        self.reader = _reader(latent, features) if features else None
        self.body = Perceptron(
            2 * (features or latent) + self.command_mask.size, components * 2 * action + chances, hidden
        )
        self.register_buffer("binary", torch.tensor([i in binary for i in range(action)]), persistent=False)

    def forward(self, latent: Tensor, proprio: Tensor, goal: Tensor) -> ActionDistribution:
        """Return the distribution of B actions."""
        seen, wanted = self._read(torch.cat([latent, goal])).chunk(2)
        return self._distribution(self.body(torch.cat([seen, self.command_mask(proprio), wanted], dim=-1)))

    def towards(self, goal: Tensor) -> Callable[[Tensor, Tensor], ActionDistribution]:
        """Return the same as `forward` for states that all have the `goal` (D,), in less time."""
        body = self.body.given(self._read(goal))
        return lambda latent, proprio: self._distribution(
            body(torch.cat([self._read(latent), self.command_mask(proprio)], dim=-1))
        )

    def _read(self, latent: Tensor) -> Tensor:
        """Return what of `latent` (..., D) is compared."""
        if self.reader is None:
            return latent
        features: Tensor = self.reader(latent.to(next(self.reader.parameters()).dtype))
        return features.to(latent.dtype)

    def _distribution(self, outputs: Tensor) -> ActionDistribution:
        components, width = self._shape
        raw, log_std = outputs[:, : components * width].unflatten(1, self._shape).chunk(2, dim=-1)
        weights = outputs[:, components * width :] if components > 1 else outputs.new_zeros(len(outputs), 1)
        return ActionDistribution(weights, torch.tanh(raw), log_std.clamp(*LOG_SPREAD), raw, self.binary)


def _reader(latent: int, features: int) -> nn.Sequential:
    """Return what reads `features` out of latents."""
    layers: list[nn.Module] = []
    for before, after in pairwise((latent, *READING)):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(READING[-1], features))


class ActorLoss(nn.Module):
    """The actor in training, each example weighted by how much better than expected it turned out
    (advantage-weighted regression, Peng et al. 2019); `batch["advantage"]` comes from the trained critic."""

    def __init__(self, actor: Actor, temperature: float) -> None:
        super().__init__()
        self.actor = actor
        self.temperature = temperature

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted negative log-likelihood of `action` (B, A)."""
        cost = self.actor(batch["latent"], batch["proprio"], batch["goal"]).negative_log_likelihood(batch["action"])
        weight = torch.exp(self.temperature * batch["advantage"]).clamp(max=20.0)
        return {"loss": (weight * cost).mean() / weight.mean(), "plain": cost.mean()}
