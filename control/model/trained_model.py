"""A trained model with all its parts: what training saves and the agent loads."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from control.decision_config import DecisionConfig, default_decision_config, with_changes
from control.goals.landmarks import Landmarks
from control.policy.actor import Actor
from control.policy.critic import Critic
from perception.checkpoint.card import Card, HeadsConfig
from perception.checkpoint.files import load, load_card, save, weight_shapes
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from perception.model.decoder import Decoder
from perception.model.world_model import BUILT_IN_ENCODERS, WorldModel, WorldModelConfig, new_predictor
from robot.errors import CheckpointError, ConfigurationError

PRETRAINED = PRETRAINED_FOLDER / "push"
"""The checkpoint that commands use by default."""


@dataclass(frozen=True)
class Parts:
    """World model, critic, actor, decoder (for display only), and landmarks."""

    model: WorldModel
    critic: Critic
    actor: Actor
    decoder: Decoder
    landmarks: Landmarks

    def named(self) -> dict[str, nn.Module]:
        """Return the parts by the names that prefix their weights on disk."""
        return {
            "model": self.model,
            "critic": self.critic,
            "actor": self.actor,
            "decoder": self.decoder,
            "landmarks": self.landmarks,
        }


@dataclass(frozen=True)
class TrainedModel:
    """The parts, and the card that describes them."""

    card: Card
    parts: Parts

    @property
    def decision_config(self) -> DecisionConfig:
        """The decision settings in the card, as `decision_config_of` returns them."""
        return decision_config_of(self.card)


def decision_config_of(card: Card) -> DecisionConfig:
    """Return the decision settings in `card`. Settings missing from the card take the values used before cards stored
    them.

    Raises `CheckpointError` for an invalid value or an unknown name.
    """
    try:
        usual = default_decision_config(bool(card.world_model.binary), card.world_model.entities > 0)
        return with_changes(usual, card.decision)
    except ConfigurationError as error:
        raise CheckpointError(
            f"the checkpoint's card has an invalid decision setting: {str(error).removeprefix('--')}; train again or "
            "correct the card"
        ) from error


def new_parts(config: WorldModelConfig, heads: HeadsConfig) -> Parts:
    """Return untrained parts of these sizes."""
    return Parts(
        model=WorldModel(config),
        critic=Critic(config, heads),
        actor=Actor(config, heads),
        decoder=Decoder(config.height, config.width_px, config.latent),
        landmarks=Landmarks(config, heads),
    )


def save_trained(folder: Path, trained: TrainedModel) -> Card:
    """Write a checkpoint; returns its card with the weights' digest."""
    tensors: dict[str, Tensor] = {}
    for prefix, part in trained.parts.named().items():
        tensors.update({f"{prefix}.{key}": value for key, value in part.state_dict().items()})
    return save(folder, trained.card, tensors)


def load_trained(folder: Path) -> TrainedModel:
    """Return the model in `folder`, ready for inference. Raises `CheckpointError` for a checkpoint that is
    missing, damaged or inconsistent."""
    card = load_card(folder)
    decision_config_of(card)  # raises before anything is built
    _require_described(card, weight_shapes(folder), folder)
    card, tensors = load(folder)
    try:
        parts = new_parts(card.world_model, card.heads)
    except (ConfigurationError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the card in {folder} describes an impossible model: {error}; train again") from error
    for prefix, part in parts.named().items():
        start = prefix + "."
        own = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
        try:
            part.load_state_dict(own)
        except RuntimeError as error:
            # PyTorch lists every tensor that differs, one a line after a heading; the first is enough.
            first = str(error).splitlines()[:2][-1].strip()
            raise CheckpointError(f"the weights in {folder} do not fit its card ({prefix}): {first}") from error
        part.eval().requires_grad_(False)
    return TrainedModel(card, parts)


def _require_described(card: Card, found: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    """Raise `CheckpointError` unless the weights have the shapes that the card describes. Nothing of these sizes is
    made: a card is a few kilobytes, and may describe any."""
    config, heads = card.world_model, card.heads
    own = config.named_encoder.name in BUILT_IN_ENCODERS  # others may read a file as they are made
    try:
        with torch.device("meta"):
            parts: dict[str, nn.Module] = {
                "model": WorldModel(config) if own else new_predictor(config),
                "critic": Critic(config, heads),
                "actor": Actor(config, heads),
                "decoder": Decoder(config.height, config.width_px, config.latent),
                "landmarks": Landmarks(config, heads),
            }
    except (ConfigurationError, ValueError, RuntimeError, IndexError) as error:
        raise CheckpointError(f"the card in {folder} describes an impossible model: {error}; train again") from error
    for prefix, part in parts.items():
        start = f"{prefix}." if own or prefix != "model" else f"{prefix}.predictor."
        for key, value in part.state_dict().items():
            there = found.get(start + key)
            if there != tuple(value.shape):
                what = "Missing key" if there is None else f"size mismatch, {there} instead of {tuple(value.shape)}"
                raise CheckpointError(f"the weights in {folder} do not fit its card ({prefix}): {what} for {key}")


def fast_copy(parts: Parts, dtype: torch.dtype) -> Parts:
    """Return a copy of `parts` for fast planning: predictor, critic and actor compute in `dtype`, and their weights lie
    in memory in the order in which a matrix product with few rows reads them. Encoder and normaliser keep their data
    type; decoder and landmarks are shared."""
    model = copy.deepcopy(parts.model)
    model.predictor.to(dtype)
    critic, actor = copy.deepcopy(parts.critic).to(dtype), copy.deepcopy(parts.actor).to(dtype)
    for part in (model.predictor, critic, actor):
        for layer in part.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.data = layer.weight.data.t().contiguous().t()
    return Parts(model, critic, actor, parts.decoder, parts.landmarks)
