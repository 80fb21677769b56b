"""A goal as a model sees it: a latent, and which of its entity tokens matter."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


def latent_distance(latents: Tensor, others: Tensor) -> Tensor:
    """Return the mean squared difference (...) of latents (..., D)."""
    return ((latents - others) ** 2).mean(-1)


@dataclass(frozen=True)
class LatentGoal:
    """A `latent` (D,) to reach. `wanted` (K,) is 1 for the tokens that matter and 0 for the others, of which at least
    one matters; None means that all of the latent matters."""

    latent: Tensor
    wanted: Tensor | None = None

    def difference(self, latents: Tensor) -> Tensor:
        """Return the mean squared difference (...) of `latents` (..., D) from the goal, over the tokens that matter."""
        if self.wanted is None:
            return latent_distance(latents, self.latent)
        tokens = latent_distance(*(each.unflatten(-1, (len(self.wanted), -1)) for each in (latents, self.latent)))
        return (tokens * self.wanted).sum(-1) / self.wanted.sum()

    def repeated(self, count: int) -> tuple[Tensor, Tensor | None]:
        """Return the latent (count, D) and the mask (count, K), None where all matters, as the goals of `count` states:
        the last arguments of critic and actor."""
        wanted = None if self.wanted is None else self.wanted.expand(count, -1)
        return self.latent.expand(count, -1), wanted
