"""The world model: a joint-embedding predictive architecture (JEPA) that imagines in latent space.

A picture is encoded to a latent; a predictor says how latent and proprioception change under an action. Nothing is
reconstructed: what the latent keeps is what is predictable, what the inverse dynamics need, and what SIGReg spreads.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from perception.model.multi_view import make_encoder
from perception.model.normaliser import Normaliser

PICTURE = (64, 64)
"""Width and height in pixels of each camera's picture, unless something else is asked for."""


class WorldModelConfig(msgspec.Struct, frozen=True):
    """Sizes of a world model: picture in pixels, of so many `views` stacked, `proprio` and `action` lengths, `latent`
    dimensions, each encoder's number of `keypoints`, and the predictor's hidden `width`, number of residual `blocks`
    and `dropout` while training. `binary` are the entries of an action that are either −1 or 1 (0 to leave things as
    they are): a gripper is open or closed. `commands` are the entries of proprio that tell what was commanded; only
    the predictor sees them. `context` is the number of latents, 1 or 2, from which the next one is predicted."""

    height: int = PICTURE[1]
    width_px: int = PICTURE[0]
    proprio: int = 7
    action: int = 2
    latent: int = 192
    width: int = 384
    blocks: int = 2
    dropout: float = 0.1
    binary: tuple[int, ...] = ()
    commands: tuple[int, ...] = ()
    keypoints: int = 0
    views: int = 1
    context: int = 1


class ResidualBlock(nn.Module):
    """A pre-normalised two-layer perceptron added to its input, (B, width) → (B, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` refined."""
        return hidden + self.body(hidden)


class Predictor(nn.Module):
    """(latent, scaled proprio, action, in a context of two the latent before) → the same latent and proprio one block
    later."""

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        self.latent = config.latent
        self.context = config.context
        size = config.latent + config.proprio
        self.enter = nn.Linear(size + config.action + (config.context - 1) * config.latent, config.width)
        self.blocks = nn.Sequential(*(ResidualBlock(config.width, config.dropout) for _ in range(config.blocks)))
        self.leave = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, size))

    def forward(
        self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next latent (B, D) and scaled proprio (B, P). `before` (B, D) is the latent one block earlier, the
        same as now when None; a context of one does not look at it."""
        known = [latent, proprio, action]
        if self.context == 2:
            known.append(torch.zeros_like(latent) if before is None else latent - before)
        # The weights may be in half precision, for speed; the state itself never is, lest rounding add up.
        hidden = self.enter(torch.cat(known, dim=-1).to(self.enter.weight.dtype))
        change = self.leave(self.blocks(hidden)).to(latent.dtype)
        return latent + change[..., : self.latent], proprio + change[..., self.latent :]


class WorldModel(nn.Module):
    """Encoder, proprioception's normaliser and predictor."""

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config.height, config.width_px, config.latent, config.keypoints, config.views)
        self.normaliser = Normaliser(config.proprio)
        self.predictor = Predictor(config)

    def encode(self, pictures: Tensor) -> Tensor:
        """Return latents (B, D) of `pictures` (B, H, W, 3) uint8 RGB."""
        return self.encoder(pictures)

    def rollout(
        self, latent: Tensor, proprio: Tensor, actions: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Imagine: from `latent` (B, D), `before` (B, D) it and scaled `proprio` (B, P) under `actions` (B, T, A).

        Returns latents (B, T, D) and scaled proprio (B, T, P) after each action.
        """
        return unroll(self.predictor, latent, proprio, actions, before)


def unroll(
    predictor: Predictor, latent: Tensor, proprio: Tensor, actions: Tensor, before: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Apply `predictor` action after action; shapes as in `WorldModel.rollout`."""
    latents, proprios = [], []
    for step in range(actions.shape[1]):
        following, proprio = predictor(latent, proprio, actions[:, step], before)
        before, latent = latent, following
        latents.append(latent)
        proprios.append(proprio)
    return torch.stack(latents, dim=1), torch.stack(proprios, dim=1)
