"""The loss of the world model: rollout error, SIGReg, inverse dynamics, and how well posture and colours can be read
from the latent, all on the same clips."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.model.entities.layout import layout_of
from perception.model.entities.places import PLACE
from perception.model.losses.colour_decoder import COARSER, ColourDecoder, colours
from perception.model.losses.inverse_dynamics import InverseDynamics
from perception.model.losses.keypoint_renderer import Blobs
from perception.model.losses.painter import Painter
from perception.model.losses.sigreg import sigreg
from perception.model.world_model import WorldModel, unroll

POSTURE_WIDTH = 256


class JepaWeights(msgspec.Struct, frozen=True):
    """Weights of the loss's terms, and the noise that is added to the inputs of rollouts: `action_noise` to actions in
    [−1, 1], `proprio_noise` to scaled proprioception. The rollout error in latent space has the weight 1.

    Without this noise the arm's future is known exactly. SIGReg can then fill the whole latent with ever finer
    functions of the arm's pose, which cost nothing to predict, and the latent loses the object. With noise, fine
    functions of the arm's pose are hard to predict, and an object at rest is easy.

    `posture` weighs how well proprioception can be read from a latent, and `colour` how well a picture's coarse colours
    can, in `coloured` pictures each step; entity tokens paint them, each its own thing. Both keep the latent from
    losing them. `blobs` weighs how well those colours can be drawn with one blob at each keypoint, which makes
    keypoints mark objects exactly; entity tokens need none. `projections` is the number of random directions that
    SIGReg tests.
    """

    sigreg: float = 5.0
    inverse: float = 1.0
    proprio: float = 1.0
    posture: float = 2.0
    colour: float = 4.0
    coloured: int = 128
    blobs: float = 2.0
    projections: int = 256
    action_noise: float = 0.5
    proprio_noise: float = 0.2


class JepaLoss(nn.Module):
    """The world model in training, with inverse dynamics and decoders that only training needs."""

    def __init__(self, model: WorldModel, weights: JepaWeights) -> None:
        super().__init__()
        self.model = model
        config = model.config
        self.inverse = InverseDynamics(config.latent, config.action)
        self.posture = nn.Sequential(
            nn.Linear(config.latent, POSTURE_WIDTH), nn.GELU(), nn.Linear(POSTURE_WIDTH, config.proprio)
        )
        width, height = config.picture
        if config.entities:
            self.painter = Painter(config.views, height, width, config.token)
        else:
            self.colour = ColourDecoder(config.height, config.width_px, config.latent)
            self.blobs = Blobs(config.views, config.keypoints, height // COARSER, width // COARSER)
        self.weights = weights

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the named terms and their weighted sum `loss`.

        `batch`: `images` (B, T, F, H, W, 3) uint8, at each of T steps a clip of the encoder's F frames; `plain`
        (B, T, H, W, 3), the last frames of these before augmentation; `states` (B, T, P) in SI units; `actions`
        (B, T − 1, A) in [−1, 1]; `projections` (d, M), random directions for SIGReg in the space of a token.
        """
        images, actions = batch["images"], batch["actions"]
        clips, length = images.shape[:2]
        each, places = self.model.encoder.look(images.flatten(0, 1))
        latents = each.unflatten(0, (clips, length))
        proprio = self.model.normaliser(batch["states"])
        # No stop-gradient: SIGReg, not an asymmetry between branches, is what prevents collapse.
        first = self.model.config.context - 1
        start_proprio = _with_noise(proprio[:, first], self.weights.proprio_noise)
        imagined, imagined_proprio = self.model.rollout(
            latents[:, first], start_proprio, _with_noise(actions[:, first:], self.weights.action_noise), latents[:, 0]
        )
        rollout = functional.mse_loss(imagined.float(), latents[:, first + 1 :])
        proprio_error = functional.mse_loss(imagined_proprio.float(), proprio[:, first + 1 :])
        guessed = self.inverse(latents[:, :-1].flatten(0, 1), latents[:, 1:].flatten(0, 1))
        inverse = functional.mse_loss(guessed.float(), actions.flatten(0, 1))
        spread = torch.stack([self._spread(latents[:, step], batch["projections"]) for step in range(length)]).mean()
        posture = functional.mse_loss(self.posture(each).float(), proprio.flatten(0, 1))
        weights = self.weights
        loss = (
            rollout
            + weights.proprio * proprio_error
            + weights.inverse * inverse
            + weights.sigreg * spread
            + weights.posture * posture
        )
        # The targets come from the pictures before augmentation, so that the latent ignores light and camera pose.
        shown = self._shown(each, places, batch["plain"].flatten(0, 1))
        for name, error in shown.items():
            loss = loss + getattr(weights, name) * error
        return {
            "loss": loss,
            "rollout": rollout,
            "proprio": proprio_error,
            "inverse": inverse,
            "sigreg": spread,
            "posture": posture,
            **shown,
        }

    def _spread(self, latents: Tensor, projections: Tensor) -> Tensor:
        """Return SIGReg's statistic of `latents` (B, D). Every token is a sample of its own: what one token
        holds need not be independent of what another holds."""
        return sigreg(latents.reshape(-1, self.model.config.token), projections)

    def _shown(self, latents: Tensor, places: Tensor | None, pictures: Tensor) -> dict[str, Tensor]:
        """Return, by the names of their weights, how well `pictures` (B, H, W, 3) uint8 can be drawn: from some of
        their `latents` (B, D), and with a blob at each of the keypoints' `places`."""
        count = self.weights.coloured
        some = (torch.randperm(len(latents))[:count] if count < len(latents) else torch.arange(len(latents))).to(
            latents.device
        )
        config = self.model.config
        if config.entities:
            return {"colour": self.painter(latents[some].unflatten(1, (config.entities, -1)), pictures[some])}
        wanted = colours(pictures)
        if places is None:
            places = latents.new_zeros(len(latents), config.views, 3, 0)
        return {
            "colour": functional.mse_loss(self.colour(latents[some]), wanted[some]),
            "blobs": functional.mse_loss(self.blobs(places), wanted),
        }


PLACES_COUNT = 30.0
"""How much more a number of a token's places counts than one of its features, most of which change with the hand beside
the thing, and cannot be foreseen."""
EXACT = 0.02
"""Errors of tokens above this count by their size, not by their square. Most things rest, and some are hidden at once:
a mean of both would have all things drift."""


class PredictorLoss(nn.Module):
    """The predictor alone, on frozen latents and without noise, so that it learns exactly what each action does."""

    weights: Tensor

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.predictor = model.predictor
        layout = layout_of(model.encoder)
        weights = torch.ones(model.config.latent)
        if layout.views:
            layout.tokens(weights)[:, -PLACE * layout.views :] = PLACES_COUNT
        self.register_buffer("weights", weights / weights.mean(), persistent=False)
        self.has_places = layout.views > 0

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the rollout errors for `latents` (B, T, D), scaled `proprio` (B, T, P), `actions` (B, T − 1, A)."""
        latents, proprio, actions = batch["latents"], batch["proprio"], batch["actions"]
        first = self.predictor.context - 1
        imagined, imagined_proprio = unroll(
            self.predictor, latents[:, first], proprio[:, first], actions[:, first:], latents[:, 0]
        )
        rollout = self._rollout_error(imagined.float(), latents[:, first + 1 :])
        error = functional.mse_loss(imagined_proprio.float(), proprio[:, first + 1 :])
        return {"loss": rollout + error, "rollout": rollout, "proprio": error}

    def _rollout_error(self, imagined: Tensor, latents: Tensor) -> Tensor:
        """Return the error of `imagined` (B, T, D); of tokens with places by `EXACT` and `PLACES_COUNT`."""
        if not self.has_places:
            return functional.mse_loss(imagined, latents)
        errors = functional.smooth_l1_loss(imagined, latents, beta=EXACT, reduction="none")
        return (self.weights * errors).mean()


def _with_noise(values: Tensor, noise: float) -> Tensor:
    return values + noise * torch.randn_like(values)
