"""The predictor of entity tokens: how things act on one another and on the arm.

All tokens have the same weights, and each sees the sum of all, so that it makes no difference which token holds which
thing (Zaheer et al., "Deep sets", 2017). Sums cost a fraction of attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perception.model.token_block import TokenBlock

DEPTH = 2
"""The number of residual blocks that each token passes alone, before tokens act on one another."""
MEMBERS = 4
"""The number of output layers in the ensemble."""


class InteractionBlock(nn.Module):
    """A two-layer perceptron of each token and the sum of all, added to the tokens: (B, K, width) → (B, K, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.settle = nn.LayerNorm(width)
        self.own = nn.Linear(width, width)
        self.all = nn.Linear(width, width, bias=False)
        self.leave = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` refined."""
        settled = self.settle(hidden)
        return hidden + self.leave(self.own(settled) + self.all(settled.sum(1, keepdim=True)))


class EnsembleLayer(nn.Module):
    """Linear layers (..., width) → (..., size), each of which sees a random half of the inputs, so that they agree on
    what was learnt and differ elsewhere (Ho, "The random subspace method", 1998).

    In training, each example is answered by one of them at random, so that each learns to be right alone; otherwise by
    their mean.
    """

    seen: Tensor

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        bound = (2.0 / width) ** 0.5
        self.weight = nn.Parameter(torch.empty(MEMBERS, size, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(MEMBERS, size))
        self.register_buffer("seen", (torch.rand(MEMBERS, 1, width) < 0.5).float())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (B, K, size) for `inputs` (B, K, width)."""
        weight = self.weight * self.seen
        if not self.training:
            return nn.functional.linear(inputs, weight.mean(0), self.bias.mean(0))
        member = torch.randint(MEMBERS, (len(inputs),), device=inputs.device)
        return inputs @ weight[member].transpose(1, 2) + self.bias[member].unsqueeze(1)

    def spread(self, inputs: Tensor) -> Tensor:
        """Return the members' root mean square difference from their mean (B, K) for `inputs` (B, K, width)."""
        outputs = torch.einsum("bkw,mow->mbko", inputs, self.weight * self.seen) + self.bias[:, None, None]
        return outputs.var(0, correction=0).mean(-1).sqrt()


class EntityPredictor(nn.Module):
    """(latent of K tokens, scaled proprio, action, and in a context of two the latent before) → latent and scaled
    proprio one block later. Tokens that change places in the input change places in the output."""

    def __init__(
        self,
        entities: int,
        token: int,
        proprio: int,
        action: int,
        width: int,
        blocks: int,
        dropout: float,
        context: int,
    ) -> None:
        """Raise `ValueError` for a `width` of nothing."""
        super().__init__()
        if width < 1:
            raise ValueError("the predictor's width leaves nothing for a token")
        self.entities = entities
        self.context = context
        self.enter = nn.Linear(context * token, width)
        self.arm = nn.Linear(proprio + action, width)
        self.alone = nn.Sequential(*(TokenBlock(width) for _ in range(DEPTH)))
        self.blocks = nn.Sequential(*(InteractionBlock(width, dropout) for _ in range(blocks)))
        self.settle = nn.LayerNorm(width)
        self.leave = EnsembleLayer(width, token)
        self.move = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, proprio))

    def forward(
        self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next latent (B, D) and scaled proprio (B, P).

        `before` (B, D) is the latent one block earlier; None means that nothing moved. A context of one ignores it.
        """
        settled, arm = self._hidden(latent, proprio, action, before)
        change = self.leave(settled).flatten(1).to(latent.dtype)
        moved = self.move(torch.cat([arm, settled.sum(1)], dim=-1)).to(latent.dtype)
        return latent + change, proprio + moved

    def spread(self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None) -> Tensor:
        """Return how much the ensemble disagrees about each token after the action, (B, K): large where nothing like
        it was learnt."""
        return self.leave.spread(self._hidden(latent, proprio, action, before)[0]).to(latent.dtype)

    def _hidden(self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what is computed of each token (B, K, width), and of the arm alone (B, width)."""
        # The weights may be in half precision, for speed. The state never is, so that rounding errors do not add up.
        dtype = self.enter.weight.dtype
        known = latent.unflatten(-1, (self.entities, -1))
        if self.context == 2:
            moved = torch.zeros_like(latent) if before is None else latent - before
            known = torch.cat([known, moved.unflatten(-1, (self.entities, -1))], dim=-1)
        arm = self.arm(torch.cat([proprio, action], dim=-1).to(dtype))
        hidden = self.enter(known.to(dtype)) + arm.unsqueeze(1)
        return self.settle(self.blocks(self.alone(hidden))), arm
