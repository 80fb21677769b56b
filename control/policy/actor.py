"""The actor: predicts the next action that play took on its way to a given goal picture (hindsight behaviour
cloning)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from control.policy.action_mixture import ActionDistribution
from control.policy.command_mask import CommandMask
from control.policy.comparison import masked, new_comparison
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModelConfig

LOG_STD = (-3.0, 0.5)
"""Bounds of the logarithm of a component's standard deviation."""
READER_WIDTHS = (384, 256)
"""Widths of the hidden layers of the network that extracts features from a latent."""


class Actor(nn.Module):
    """(latent, scaled proprio, goal latent) → a distribution over actions: a mixture, each of whose components is
    Gaussian, and Bernoulli in the binary entries, because averaging open and closed gives a useless gripper width.

    `config` gives the lengths of latent, proprio and action, the binary entries of an action, and the commanded entries
    of proprio, which the actor does not see. `heads` gives the number of components, the width of the hidden layers,
    and the number of features. One network extracts the features from the state's latent and from the goal's, so that
    object positions are learnt once, for both. With 0 features the latents themselves are compared; entity tokens
    take no others.
    """

    binary: Tensor

    def __init__(self, config: WorldModelConfig, heads: HeadsConfig) -> None:
        super().__init__()
        self.command_mask = CommandMask(config.proprio, config.commands)
        self._shape = (heads.components, 2 * config.action)
        mixture_weights = heads.components if heads.components > 1 else 0  # a single component needs none
        self.reader = _reader(config.latent, heads.features) if heads.features else None
        outputs = heads.components * 2 * config.action + mixture_weights
        self.body = new_comparison(config, self.command_mask.size, outputs, heads, heads.features)
        binary = torch.tensor([entry in config.binary for entry in range(config.action)])
        self.register_buffer("binary", binary, persistent=False)

    def forward(
        self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None
    ) -> ActionDistribution:
        """Return the distribution of B actions. `wanted` masks the goal as in `Comparison.compare`."""
        now, there = self._read(torch.cat([latent, goal])).chunk(2)
        return self._distribution(self.body.compare(now, self.command_mask(proprio), there, wanted))

    def for_goal(self, goal: Tensor, wanted: Tensor | None = None) -> Callable[[Tensor, Tensor], ActionDistribution]:
        """Return `forward` as a function of latent and proprio, for one common `goal` (D,) and `wanted` (K,). It is
        faster."""
        body = self.body.for_goal(self._read(goal), wanted)
        return lambda latent, proprio: self._distribution(body(self._read(latent), self.command_mask(proprio)))

    def _read(self, latent: Tensor) -> Tensor:
        """Return the features of `latent` (..., D) by which state and goal are compared."""
        if self.reader is None:
            return latent
        features: Tensor = self.reader(latent.to(next(self.reader.parameters()).dtype))
        return features.to(latent.dtype)

    def _distribution(self, outputs: Tensor) -> ActionDistribution:
        components, width = self._shape
        raw, log_std = outputs[:, : components * width].unflatten(1, self._shape).chunk(2, dim=-1)
        weights = outputs[:, components * width :] if components > 1 else outputs.new_zeros(len(outputs), 1)
        return ActionDistribution(weights, torch.tanh(raw), log_std.clamp(*LOG_STD), raw, self.binary)


def _reader(latent: int, features: int) -> nn.Sequential:
    """Return the network that extracts `features` numbers from a latent."""
    layers: list[nn.Module] = []
    for before, after in pairwise((latent, *READER_WIDTHS)):
        layers += [nn.Linear(before, after), nn.LayerNorm(after), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(READER_WIDTHS[-1], features))


class ActorLoss(nn.Module):
    """The actor's loss: each example is weighted by exp(`temperature` × advantage), at most 20. The advantage comes
    from the trained critic (advantage-weighted regression, Peng et al. 2019)."""

    def __init__(self, actor: Actor, temperature: float) -> None:
        super().__init__()
        self.actor = actor
        self.temperature = temperature

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted negative log-likelihood of `action` (B, A), given `latent` and `goal` (B, D), scaled
        `proprio` (B, P), `advantage` (B,) and, where goals are masked, `wanted` (B, K)."""
        likely = self.actor(batch["latent"], batch["proprio"], batch["goal"], *masked(batch))
        cost = likely.negative_log_likelihood(batch["action"])
        weight = torch.exp(self.temperature * batch["advantage"]).clamp(max=20.0)
        return {"loss": (weight * cost).mean() / weight.mean(), "plain": cost.mean()}
