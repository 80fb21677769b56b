"""Encoders, which turn a clip of pictures into a latent: what each must offer, and how one is found by its name.

A package adds an encoder by naming a factory in its metadata, for instance in pyproject.toml:

    [project.entry-points."worldarm.encoders"]
    mine = "my_package.encoder:make_encoder"

The factory takes an `EncoderRequest` and returns a `torch.nn.Module` that satisfies `Encoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
import torch
from torch import Tensor, nn

from robot.errors import CheckpointError, ConfigurationError
from robot.registry import ENCODERS, load
from robot.system.files import sha256_of

PICTURE = (64, 64)
"""Width and height, in pixels, of each camera's picture in the built-in encoders, unless another size is asked for."""
SIDE_MULTIPLE = 16
"""The sides of a picture are multiples of this: the decoders, which end in a picture, double a grid four times."""


class EncoderConfig(msgspec.Struct, frozen=True):
    """Which encoder a world model has: its registered `name`, the `options` that only this encoder knows, and, where it
    brings frozen weights in a file of its own, the SHA-256 digest of that file (empty where it does not)."""

    name: str
    options: dict[str, str] = {}
    weights_sha256: str = ""


@dataclass(frozen=True)
class EncoderRequest:
    """What a factory is asked for: `picture` (width, height) of each view in pixels (None for the size that suits the
    encoder best), the number of `views` stacked in a picture, the numbers of `latent` dimensions and of `keypoints` in
    each view, the encoder's own `options`, and the number of `entities`, 0 for a flat latent."""

    picture: tuple[int, int] | None
    views: int
    latent: int
    keypoints: int
    options: Mapping[str, str]
    entities: int = 0


class Encoder(Protocol):
    """A clip of pictures → latent; a `torch.nn.Module`.

    The properties give the sizes of its input and output: `picture`, the width and height in pixels of each view;
    `frames`, the number F of pictures in a clip, one block apart, the last of which is the present; `latent`, the
    number D of dimensions; and `keypoints`, the number K that it offers in each view, 0 for none.
    """

    @property
    def picture(self) -> tuple[int, int]:
        """Width and height in pixels of each view."""

    @property
    def frames(self) -> int:
        """The number F of pictures in a clip."""

    @property
    def latent(self) -> int:
        """The number D of dimensions of a latent."""

    @property
    def keypoints(self) -> int:
        """The number K of keypoints in each view, 0 for none."""

    def look(self, clips: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the latents (B, D) float32 of `clips` (B, F, V × H, W, 3) uint8 RGB, in which V views are stacked, and
        the keypoints' places in the present pictures (B, V, 3, K): across and down, from −`keypoints.SPAN` at the left
        and at the top, and strength in (−1, 1). The places are None where the encoder offers no keypoints."""
        ...


@runtime_checkable
class EntityEncoder(Protocol):
    """An additional property of an encoder whose latent is a set of tokens: K × d numbers, token after token."""

    @property
    def entities(self) -> int:
        """The number K of tokens."""


@runtime_checkable
class LocatingEncoder(Protocol):
    """Additional properties of an encoder whose tokens say where they look, which is needed to find a thing by its
    name. Each token ends with its places, as `entities.places` describes them."""

    @property
    def views(self) -> int:
        """The number V of views in a picture."""

    def attention(self, clips: Tensor) -> Tensor:
        """Return the share (B, K, V, H', W') that each token takes of each cell of `clips` (B, F, V × H, W, 3) uint8.
        The cells divide each view evenly, and the shares of each add up to 1."""
        ...


@runtime_checkable
class PretrainedEncoder(Protocol):
    """Additional methods of an encoder whose weights come from a file.

    Such weights are not trained and not copied into checkpoints (hold them in `perception.model.frozen.Frozen`). The
    checkpoint's card refers to them by the digest of the file, and the file is read only after that was checked.
    """

    @property
    def weights_file(self) -> Path:
        """The path from which the weights are read."""
        ...

    def read_weights(self) -> None:
        """Read the weights from `weights_file`."""
        ...


@dataclass(frozen=True)
class EncoderDescription:
    """The properties of an encoder of `config`; they mean the same as in `Encoder`."""

    config: EncoderConfig
    picture: tuple[int, int]
    frames: int
    latent: int
    keypoints: int
    entities: int


def describe_encoder(name: str, request: EncoderRequest) -> EncoderDescription:
    """Return the properties of the encoder `name` made for `request`, with the digest of its weights file.

    Global random streams are left as they were. Raises as `make_encoder`.
    """
    with torch.random.fork_rng(devices=[]):
        encoder = _made(name, request)
    weights = _digest_of_weights(name, encoder)
    config = EncoderConfig(name, dict(request.options), weights)
    entities = _entities_of(encoder)
    return EncoderDescription(config, encoder.picture, encoder.frames, encoder.latent, encoder.keypoints, entities)


def make_encoder(config: EncoderConfig, request: EncoderRequest) -> Encoder:
    """Return a new encoder of `config`, which has exactly the sizes of `request` and has read its weights file.

    Raises `ConfigurationError` for an encoder that is not installed or has not these sizes, and `CheckpointError` for a
    weights file that is missing or has another digest than `config` says.
    """
    encoder = _made(config.name, request)
    for what, own, asked in (
        ("sees pictures of width and height", encoder.picture, request.picture),
        ("makes latents of size", encoder.latent, request.latent),
        ("offers keypoints numbering", encoder.keypoints, request.keypoints),
        ("makes entity tokens numbering", _entities_of(encoder), request.entities),
    ):
        if own != asked:
            raise ConfigurationError(f"the encoder {config.name!r} {what} {own}, not {asked}: ask for what it offers")
    found = _digest_of_weights(config.name, encoder)
    if isinstance(encoder, PretrainedEncoder):
        if found != config.weights_sha256:
            raise CheckpointError(
                f"the weights of the encoder {config.name!r} in {encoder.weights_file} have the SHA-256 digest "
                f"{found}; this model was trained with {config.weights_sha256}: put that file there, or train again"
            )
        encoder.read_weights()
    elif config.weights_sha256:
        raise CheckpointError(
            f"this model was trained with an encoder {config.name!r} that has a weights file; the installed "
            "one has none: install the encoder version that this model was trained with, or train again"
        )
    return encoder


def look_at_stills(encoder: Encoder, pictures: Tensor) -> Tensor:
    """Return the latents (B, D) of scenes at rest: of `pictures` (B, V × H, W, 3) uint8 RGB, each repeated to fill a
    clip."""
    return encoder.look(pictures[:, None].expand(-1, encoder.frames, -1, -1, -1))[0]


def _made(name: str, request: EncoderRequest) -> Encoder:
    """Return what the factory `name` makes. Raises `ConfigurationError` for an object that is not an
    encoder, and for an invalid picture size."""
    if request.picture is not None:
        _require_sides(name, request.picture)
    made: Any = load(ENCODERS, name)(request)
    lacking = [each for each in ("picture", "frames", "latent", "keypoints", "look") if not hasattr(made, each)]
    if not isinstance(made, nn.Module) or lacking:
        raise ConfigurationError(
            f"the object registered as the encoder {name!r} is not an encoder: it must be a torch.nn.Module with "
            f"picture, frames, latent, keypoints and look{f'; it lacks {lacking}' if lacking else ''}"
        )
    encoder: Encoder = made  # type: ignore[assignment] # its members were checked above
    _require_sides(name, encoder.picture)
    return encoder


def _entities_of(encoder: Encoder) -> int:
    """Return the number of entity tokens, 0 for a flat latent."""
    return encoder.entities if isinstance(encoder, EntityEncoder) else 0


def _require_sides(name: str, picture: tuple[int, int]) -> None:
    """Raise `ConfigurationError` unless pictures of this width and height can be decoded."""
    width, height = picture
    if min(width, height) < 1 or width % SIDE_MULTIPLE or height % SIDE_MULTIPLE:
        raise ConfigurationError(
            f"the encoder {name!r} cannot see pictures of {width}×{height} pixels: both sides must be multiples of "
            f"{SIDE_MULTIPLE}"
        )


def _digest_of_weights(name: str, encoder: Encoder) -> str:
    """Return the digest of the weights file, empty where there is none. Raises `CheckpointError` when it is missing."""
    if not isinstance(encoder, PretrainedEncoder):
        return ""
    try:
        return sha256_of(encoder.weights_file)
    except OSError as error:
        raise CheckpointError(
            f"the weights of the encoder {name!r} were looked for in {encoder.weights_file} and cannot be read there: "
            f"{error.strerror or error}; put the file there"
        ) from error
