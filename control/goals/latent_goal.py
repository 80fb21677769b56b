"""A goal as a model sees it: a latent, and which of its entity tokens matter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from perception.model.entities.layout import FLAT, TokenLayout


def latent_distance(latents: Tensor, others: Tensor, layout: TokenLayout = FLAT) -> Tensor:
    """Return the mean difference (...) of the tokens of latents (..., D), or of flat latents."""
    return layout.differences(latents, others).mean(-1)


@dataclass(frozen=True)
class LatentGoal:
    """A `latent` (D,) to reach, which consists of tokens as `layout` says. `wanted` (K,) is 1 for the tokens that
    matter and 0 for the others, of which at least one matters; None means that all of the latent matters. `things` are
    the things that matter, by name: masks (K,), each with 1 for the tokens that hold it. `bystanders` (K,) is 1 for the
    tokens of things that do not matter, and are therefore best left where they are; None where there are none."""

    latent: Tensor
    wanted: Tensor | None = None
    layout: TokenLayout = FLAT
    things: Mapping[str, Tensor] = field(default_factory=dict)
    bystanders: Tensor | None = None

    def differences(self, latents: Tensor) -> Tensor:
        """Return how much each token of `latents` (..., D) differs from the goal's, (..., K)."""
        return self.layout.differences(latents, self.latent)

    def difference(self, latents: Tensor) -> Tensor:
        """Return the mean difference (...) of `latents` (..., D) from the goal, over the tokens that matter."""
        if self.wanted is None:
            return latent_distance(latents, self.latent, self.layout)
        return (self.differences(latents) * self.wanted).sum(-1) / self.wanted.sum()

    def out_of_place(self, latent: Tensor, same_place: float) -> tuple[str, ...]:
        """Return the names of the things of which `latent` (D,) has some token more than `same_place` from where it is
        wanted, in the units of places."""
        wrong = self.differences(latent) > same_place**2
        return tuple(name for name, tokens in self.things.items() if bool((wrong & (tokens > 0)).any()))

    def is_shown(self, latent: Tensor, at_most: float, same_place: float) -> bool:
        """Return whether the picture with this `latent` (D,) differs from the goal by no more than `at_most`, and shows
        all its things in their places."""
        return float(self.difference(latent)) <= at_most and not self.out_of_place(latent, same_place)

    def of_things(self, names: Collection[str]) -> LatentGoal:
        """Return the goal that of this one only the things `names`, of which there is at least one, are in their
        places; the other ones are bystanders."""
        return goal_of_things(self.latent, self.layout, self.things, names)

    def repeated(self, count: int) -> tuple[Tensor, Tensor | None]:
        """Return the latent (count, D) and the mask (count, K), None where all matters, as the goals of `count` states:
        the last arguments of critic and actor."""
        wanted = None if self.wanted is None else self.wanted.expand(count, -1)
        return self.latent.expand(count, -1), wanted


def goal_of_things(
    latent: Tensor, layout: TokenLayout, things: Mapping[str, Tensor], names: Collection[str]
) -> LatentGoal:
    """Return the goal that of `things`, masks (K,) by name, those of `names` are where `latent` (D,) has them; the
    other ones are bystanders. At least one is named."""
    wanted = torch.stack([things[name] for name in names]).amax(0)
    others = torch.stack(list(things.values())).amax(0) * (1.0 - wanted)
    bystanders = others if bool(others.any()) else None
    return LatentGoal(latent, wanted, layout, {name: things[name] for name in names}, bystanders)
