"""What the world model is trained on: rollout error + SIGReg + inverse dynamics, all on the same clips."""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from perception.inverse_dynamics import InverseDynamics
from perception.sigreg import sigreg
from perception.world_model import WorldModel


class JepaWeights(msgspec.Struct, frozen=True):
    """Weights of the terms beside the rollout error in latent space, whose weight is 1."""

    sigreg: float = 8.0
    inverse: float = 1.0
    proprio: float = 1.0
    projections: int = 256


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
        imagined, imagined_proprio = self.model.rollout(latents[:, 0], proprio[:, 0], actions)
        rollout = functional.mse_loss(imagined.float(), latents[:, 1:])
        felt = functional.mse_loss(imagined_proprio.float(), proprio[:, 1:])
        guessed = self.inverse(latents[:, :-1].flatten(0, 1), latents[:, 1:].flatten(0, 1))
        inverse = functional.mse_loss(guessed.float(), actions.flatten(0, 1))
        spread = torch.stack([sigreg(latents[:, step], batch["projections"]) for step in range(length)]).mean()
        weights = self.weights
        loss = rollout + weights.proprio * felt + weights.inverse * inverse + weights.sigreg * spread
        return {"loss": loss, "rollout": rollout, "proprio": felt, "inverse": inverse, "sigreg": spread}
