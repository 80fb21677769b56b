"""How a state is compared with a goal, for the critic and the actor: number by number, or token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from control.policy.mlp import Perceptron
from control.policy.pair_comparison import PairComparison
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModelConfig


class Comparison(Protocol):
    """(state latent, measured proprio, goal latent) → outputs; a `torch.nn.Module`."""

    def begin_at(self, value: float) -> None:
        """Make all outputs lie near `value` before training."""

    def compare(self, latent: Tensor, measured: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the outputs (B, O) for latents and goals (B, D) and `measured` proprio (B, P).

        `wanted` (B, K) is 1 for tokens of the goal that matter and 0 for the others; None means that all matter. Raises
        `ValueError` for a flat latent that is masked.
        """
        ...

    def for_goal(self, goal: Tensor, wanted: Tensor | None = None) -> Callable[[Tensor, Tensor], Tensor]:
        """Return `compare` as a function of latent and measured proprio, for one common `goal` (D,) and `wanted` (K,).
        It is faster. Raises as `compare`."""
        ...


class FlatComparison(Perceptron):
    """A `Comparison` by one perceptron of all numbers of `size`-dimensional latents."""

    def __init__(self, size: int, proprio: int, outputs: int, hidden: int) -> None:
        super().__init__(2 * size + proprio, outputs, hidden)

    def compare(self, latent: Tensor, measured: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        """Return the outputs as `Comparison.compare` does."""
        _require_whole(wanted)
        outputs: Tensor = self(torch.cat([latent, measured, goal], dim=-1))
        return outputs

    def for_goal(self, goal: Tensor, wanted: Tensor | None = None) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function as `Comparison.for_goal` does."""
        _require_whole(wanted)
        given = self.given(goal)
        return lambda latent, measured: given(torch.cat([latent, measured], dim=-1))


def masked(batch: dict[str, Tensor]) -> list[Tensor]:
    """Return the mask of a batch's goals as the last argument of `compare`; nothing where goals are not masked."""
    return [batch["wanted"]] if "wanted" in batch else []


def _require_whole(wanted: Tensor | None) -> None:
    if wanted is not None:
        raise ValueError("all numbers are compared at once, so no part of a goal can be masked")


def new_comparison(
    config: WorldModelConfig, proprio: int, outputs: int, heads: HeadsConfig, features: int = 0
) -> FlatComparison | PairComparison:
    """Return an untrained comparison: of tokens where `config` has entities and `heads` compare pairs, else of flat
    latents, or of the number of `features` read from them (0: the latents themselves). Raises `ValueError` for features
    of entities."""
    if config.entities and features:
        raise ValueError("entity tokens are compared themselves, not by features")
    if config.entities and heads.pairs:
        return PairComparison(config.entities, config.token, proprio, outputs, heads.hidden)
    return FlatComparison(features or config.latent, proprio, outputs, heads.hidden)
