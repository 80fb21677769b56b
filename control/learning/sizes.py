"""The encoder and the sizes of a world model: the options, and the model configuration made from them and the data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated

import msgspec
import tyro

from control.model.trained_model import TrainedModel
from perception.model.encoders import (
    PICTURE,
    EncoderConfig,
    EncoderDescription,
    EncoderRequest,
    describe_encoder,
)
from perception.model.world_model import WorldModelConfig, default_encoder
from perception.training_data.frame_cache import FrameCache
from perception.training_data.rig_view import seen_by
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription, read_embodiment, read_recorded_embodiment
from robot.embodiment.state_entries import commands_among
from robot.errors import ConfigurationError
from robot.system.bounds import MAX_CONVENTION_SIZE


@dataclass(frozen=True)
class Sizes:
    """Encoder and sizes of the world model."""

    latent: Annotated[int, tyro.conf.arg(help="number of latent dimensions")] = 192
    keypoints: Annotated[
        int, tyro.conf.arg(help="number of keypoints in each camera's picture, if the encoder offers any")
    ] = 48
    width: Annotated[int, tyro.conf.arg(help="width of the predictor's hidden layers; a token's have a quarter")] = 384
    blocks: Annotated[int, tyro.conf.arg(help="number of the predictor's residual blocks")] = 2
    dropout: Annotated[float, tyro.conf.arg(help="dropout in the predictor while it is trained")] = 0.1
    context: Annotated[int, tyro.conf.arg(help="number of latents, 1 or 2, from which the next one is predicted")] = 1
    entities: Annotated[
        int | None,
        tyro.conf.arg(help="number of tokens, one for each thing in the picture, for example 7; None: a flat latent"),
    ] = None
    encoder: Annotated[
        str | None, tyro.conf.arg(help="registered name of the encoder; None: the built-in convolutional one")
    ] = None
    encoder_options: Annotated[
        dict[str, str], tyro.conf.arg(help="options that only this encoder knows, as pairs NAME VALUE")
    ] = field(default_factory=dict)
    picture: Annotated[
        tuple[int, int] | None,
        tyro.conf.arg(
            help="width and height, in pixels, to which each camera's pictures are resized where they were recorded at "
            "the camera's own size; None: the size that the encoder prefers, 64 64 for the built-in one"
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for invalid sizes."""
        if min(self.latent, self.width) < 1 or min(self.blocks, self.keypoints) < 0 or not 0 <= self.dropout < 1:
            raise ConfigurationError(f"no world model has these sizes: {self}")
        if self.context not in (1, 2):
            raise ConfigurationError(f"--sizes.context must be 1 or 2, not {self.context}")
        if self.entities is not None and not 1 <= self.entities <= MAX_CONVENTION_SIZE:
            raise ConfigurationError(
                f"--sizes.entities is {self.entities}; it must be from 1 to {MAX_CONVENTION_SIZE}, or left out for a "
                "flat latent"
            )


def encoder_for(dataset: Dataset, sizes: Sizes, camera: str | None, view: int | None) -> EncoderDescription:
    """Return the encoder for a training on `dataset`, with the pictures of `camera` (None: the first), and of one
    `view` of a rig (None: of all).

    Raises `ConfigurationError` for a picture size that the encoder does not take, or that differs from that of a
    `dataset` made in blocks; for a latent size or a number of keypoints other than the encoder's own; and as
    `read_embodiment`, `seen_by` and `describe_encoder` do.
    """
    seen = seen_by(read_embodiment(dataset.info, camera), view).camera
    views = len(seen.views)
    of_blocks = read_recorded_embodiment(dataset.info) is None
    asked = seen.view_size if of_blocks and sizes.picture is None else sizes.picture
    name = sizes.encoder or default_encoder(views, sizes.entities or 0)
    known = sizes.encoder_options, sizes.entities or 0
    request = EncoderRequest(asked, views, sizes.latent, sizes.keypoints, *known)
    encoder = describe_encoder(name, request)
    if asked is not None and encoder.picture != asked:
        raise ConfigurationError(
            f"the encoder {name!r} sees pictures of {_pixels(encoder.picture)} pixels, not of {_pixels(asked)}: give "
            "it pictures of its own size (--sizes.picture, or --size where play is made)"
        )
    if of_blocks and encoder.picture != seen.view_size:
        raise ConfigurationError(
            f"the pictures in {dataset.root} are {_pixels(seen.view_size)} pixels and are not resized, because they "
            f"were made in blocks: leave out --sizes.picture, or make play with --size {encoder.picture[0]}"
        )
    for option, wanted, default, own in (
        ("latent", sizes.latent, Sizes.latent, encoder.latent),
        ("keypoints", sizes.keypoints, Sizes.keypoints, encoder.keypoints),
    ):
        if own != wanted and wanted != default:
            raise ConfigurationError(
                f"the encoder {name!r} has --sizes.{option} {own}, not {wanted}: leave the option out"
            )
    if sizes.entities is not None and encoder.entities != sizes.entities:
        raise ConfigurationError(
            f"the encoder {name!r} makes {encoder.entities or 'no'} entity tokens, not {sizes.entities}: leave "
            "--sizes.entities out, or use the encoder 'entities'"
        )
    return encoder


def model_config(
    cache: FrameCache, embodiment: EmbodimentDescription, sizes: Sizes, encoder: EncoderDescription
) -> WorldModelConfig:
    """Return the configuration of a world model with this `encoder`, of these `sizes`, that learns from the frames of
    `cache`, which `embodiment` describes."""
    return WorldModelConfig(
        height=embodiment.camera.height,
        width_px=embodiment.camera.width,
        proprio=cache.states.shape[1],
        action=cache.actions.shape[1],
        latent=encoder.latent,
        keypoints=encoder.keypoints,
        views=len(embodiment.camera.views),
        width=sizes.width,
        blocks=sizes.blocks,
        dropout=sizes.dropout,
        binary=embodiment.action.binary,
        context=sizes.context,
        commands=commands_among(embodiment.state_names),
        encoder=encoder.config,
        entities=encoder.entities,
    )


def sizes_of(trained: TrainedModel) -> Sizes:
    """Return the sizes with which a model was trained."""
    config = trained.card.world_model
    encoder = config.named_encoder
    usual = encoder == EncoderConfig(default_encoder(config.views, config.entities))
    return Sizes(
        latent=config.latent,
        keypoints=config.keypoints,
        width=config.width,
        blocks=config.blocks,
        dropout=config.dropout,
        context=config.context,
        entities=config.entities or None,
        encoder=None if usual else encoder.name,
        encoder_options=encoder.options,
        picture=None if usual and config.picture == PICTURE else config.picture,
    )


def completed(sizes: Sizes, known: TrainedModel) -> Sizes:
    """Return `sizes` for a training that keeps the encoder of `known`: each that is at its default is that of
    `known`."""
    usual, there = Sizes(), sizes_of(known)
    left = [each.name for each in fields(Sizes) if getattr(sizes, each.name) == getattr(usual, each.name)]
    return replace(sizes, **{name: getattr(there, name) for name in left})


def require_sizes(known: TrainedModel, config: WorldModelConfig) -> None:
    """Raise `ConfigurationError` unless a model of `config` can keep the encoder of `known`. Dropout may differ, for no
    weight depends on it."""
    kept = msgspec.structs.replace(known.card.world_model, encoder=known.card.world_model.named_encoder)
    differing = [
        f"{name} is {getattr(kept, name)} there, {getattr(config, name)} here"
        for name in config.__struct_fields__
        if name != "dropout" and getattr(kept, name) != getattr(config, name)
    ]
    if differing:
        raise ConfigurationError(f"--encoder and --sizes do not fit: {'; '.join(differing)}")


def _pixels(picture: tuple[int, int]) -> str:
    return f"{picture[0]}x{picture[1]}"
