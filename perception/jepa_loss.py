"""What the world model is trained on: rollout error + SIGReg + inverse dynamics, all on the same clips."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.inverse_dynamics import InverseDynamics
from perception.sigreg import sigreg
from perception.world_model import WorldModel, unroll


class JepaWeights(msgspec.Struct, frozen=True):
    """Weights of the terms beside the rollout error in latent space, whose weight is 1, and the `action_noise` (of an
    action in [−1, 1]) and `proprio_noise` (in scaled units) under which rollouts are predicted.

    Without that noise the arm's future is known exactly, and SIGReg can fill the whole latent with ever finer functions
    of where the arm is, which cost nothing to predict: the object is crowded out. Under noise fine functions of the arm
    are what is hard to predict, and an object that stays where it is, is easy.
    """

    sigreg: float = 8.0
    inverse: float = 1.0
    proprio: float = 1.0
    projections: int = 256
    action_noise: float = 0.5
    proprio_noise: float = 0.2


class JepaLoss(nn.Module):
    """The world model in training, with the inverse dynamics that only training needs."""

    def __init__(self, model: WorldModel, weights: JepaWeights) -> None:
        super().__init__()
        self.model = model
        self.inverse = InverseDynamics(model.config.latent, model.config.action)
        self.weights = weights

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the named terms and their weighted sum `loss`.

        `batch`: `images` (B, T, H, W, 3) uint8, `states` (B, T, P) SI units, `actions` (B, T − 1, A) in [−1, 1],
        `projections` (D, M) random directions for SIGReg.
        """
        images, actions = batch["images"], batch["actions"]
        clips, length = images.shape[:2]
        latents = self.model.encode(images.flatten(0, 1)).unflatten(0, (clips, length))
        proprio = self.model.normaliser(batch["states"])
        # No stop-gradient: SIGReg, not an asymmetry between branches, is what prevents collapse.
        felt_start = _blurred(proprio[:, 0], self.weights.proprio_noise)
        imagined, imagined_proprio = self.model.rollout(
            latents[:, 0], felt_start, _blurred(actions, self.weights.action_noise)
        )
        rollout = functional.mse_loss(imagined.float(), latents[:, 1:])
        felt = functional.mse_loss(imagined_proprio.float(), proprio[:, 1:])
        guessed = self.inverse(latents[:, :-1].flatten(0, 1), latents[:, 1:].flatten(0, 1))
        inverse = functional.mse_loss(guessed.float(), actions.flatten(0, 1))
        spread = torch.stack([sigreg(latents[:, step], batch["projections"]) for step in range(length)]).mean()
        weights = self.weights
        loss = rollout + weights.proprio * felt + weights.inverse * inverse + weights.sigreg * spread
        return {"loss": loss, "rollout": rollout, "proprio": felt, "inverse": inverse, "sigreg": spread}


class PredictorLoss(nn.Module):
    """The predictor alone, on frozen latents and without noise: now it shall know exactly what each action does."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.predictor = model.predictor

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the rollout errors for `latents` (B, T, D), scaled `proprio` (B, T, P), `actions` (B, T − 1, A)."""
        latents, proprio, actions = batch["latents"], batch["proprio"], batch["actions"]
        imagined, felt = unroll(self.predictor, latents[:, 0], proprio[:, 0], actions)
        rollout = functional.mse_loss(imagined.float(), latents[:, 1:])
        error = functional.mse_loss(felt.float(), proprio[:, 1:])
        return {"loss": rollout + error, "rollout": rollout, "proprio": error}


def _blurred(values: Tensor, noise: float) -> Tensor:
    return values + noise * torch.randn_like(values)
