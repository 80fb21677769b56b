"""The sizes of a world model: how a user gives them, and the model's configuration that follows from them and the
data."""

from __future__ import annotations

from dataclasses import dataclass

from control.model.trained_model import TrainedModel
from perception.model.world_model import WorldModelConfig
from perception.training_data.frame_cache import FrameCache
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.state_entries import commands_among
from robot.errors import ConfigurationError


@dataclass(frozen=True)
class Sizes:
    """Sizes of the world model. `context` is the number of latents, 1 or 2, from which the next one is predicted."""

    latent: int = 192
    keypoints: int = 48
    width: int = 384
    blocks: int = 2
    dropout: float = 0.1
    context: int = 1

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for sizes that no model can have."""
        if min(self.latent, self.width) < 1 or min(self.blocks, self.keypoints) < 0 or not 0 <= self.dropout < 1:
            raise ConfigurationError(f"no world model has these sizes: {self}")
        if self.context not in (1, 2):
            raise ConfigurationError(f"--sizes.context must be 1 or 2, not {self.context}")


def model_config(cache: FrameCache, embodiment: EmbodimentDescription, sizes: Sizes) -> WorldModelConfig:
    """Return the configuration of a world model of these `sizes` that learns from the frames of `cache`, which
    `embodiment` describes."""
    return WorldModelConfig(
        height=embodiment.camera.height,
        width_px=embodiment.camera.width,
        proprio=cache.states.shape[1],
        action=cache.actions.shape[1],
        latent=sizes.latent,
        keypoints=sizes.keypoints,
        views=len(embodiment.camera.views),
        width=sizes.width,
        blocks=sizes.blocks,
        dropout=sizes.dropout,
        binary=embodiment.action.binary,
        context=sizes.context,
        commands=commands_among(embodiment.state_names),
    )


def sizes_of(trained: TrainedModel) -> Sizes:
    """Return the sizes with which a model was trained."""
    return Sizes(**{name: getattr(trained.card.world_model, name) for name in Sizes.__dataclass_fields__})


def require_sizes(known: TrainedModel, config: WorldModelConfig) -> None:
    """Raise `ConfigurationError` unless a model of `config` can keep the encoder of `known`."""
    differing = [
        f"{name} is {getattr(known.card.world_model, name)} there, {getattr(config, name)} here"
        for name in config.__struct_fields__
        if getattr(known.card.world_model, name) != getattr(config, name)
    ]
    if differing:
        raise ConfigurationError(f"--encoder and --sizes do not fit: {'; '.join(differing)}")
