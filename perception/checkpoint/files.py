"""A checkpoint on disk: one safetensors file of weights, and the card that describes them as JSON."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from perception.checkpoint.card import SCHEMA, Card
from perception.checkpoint.possible import require_possible
from perception.checkpoint.shipped import PRETRAINED_FOLDER
from perception.checkpoint.upgrade import OLDEST, upgraded_card
from perception.checkpoint.weights_file import tensor_shapes
from robot.embodiment.convention_file import read_convention
from robot.errors import CheckpointError, ConfigurationError
from robot.system.bounds import MAX_JSON_BYTES
from robot.system.files import atomic_write, read_bounded, sha256_of, write_json
from robot.system.text import printable

CARD_FILE = "checkpoint.json"
WEIGHTS_FILE = "model.safetensors"
_SHOWN = 120  # characters of a name from a file


def save(folder: Path, card: Card, tensors: dict[str, Tensor]) -> Card:
    """Write weights and card to `folder`, the card last and by rename, and return the card with its digests.

    Matrices are stored in half precision, which halves the file; the rounding matters less than the noise of a picture.
    Raises `CheckpointError` for a gate's figure or a weight that is not finite, and `RecordingError` when a file cannot
    be written.
    """
    stored = {name: _stored(value.detach().cpu()).contiguous() for name, value in tensors.items()}
    for name, value in stored.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(
                f"the weights {name} are not finite, so this model is not saved; train again with a lower learning rate"
            )
    for gate in card.gates:
        if not math.isfinite(gate.value):
            raise CheckpointError(f"the gate {gate.name!r} is {gate.value}, which no card can hold")
    with atomic_write(folder / WEIGHTS_FILE) as beside:
        beside.write_bytes(serialise(stored))
        card = msgspec.structs.replace(card, weights_sha256=sha256_of(beside))
    return save_card(folder, card)


def save_card(folder: Path, card: Card) -> Card:
    """Write `card` beside the weights in `folder`, which it describes, and return it with its digest. Raises
    `RecordingError` when it cannot be written."""
    card = msgspec.structs.replace(card, card_sha256="")
    card = msgspec.structs.replace(card, card_sha256=_card_digest(msgspec.json.encode(card)))
    write_json(find(folder) / CARD_FILE, card)
    return card


def load(folder: Path) -> tuple[Card, dict[str, Tensor]]:
    """Return the card and the weights in `folder`.

    Raises `CheckpointError` when they are missing, torn, foreign, of another schema, out of bounds or not finite.
    """
    folder = find(folder)
    card = load_card(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise CheckpointError(f"{folder} has no {WEIGHTS_FILE}; copy the whole checkpoint folder")
    weight_shapes(folder)  # its size is within bounds
    if sha256_of(weights) != card.weights_sha256:
        raise CheckpointError(f"{weights} is torn or not the file that {CARD_FILE} describes; copy it again")
    try:
        tensors = {name: value.float() for name, value in load_file(weights).items()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} is not a safetensors file: {error}") from error
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(
                f"the weights {printable(name, _SHOWN)} in {weights} are not finite, so nothing can be decided with "
                "them; copy the checkpoint again, or train again"
            )
    return card, tensors


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of the weights in `folder`, without loading them. Raises `CheckpointError` as
    `load` does."""
    return tensor_shapes(find(folder) / WEIGHTS_FILE)


def find(folder: Path) -> Path:
    """Return the checkpoint's folder: `folder` itself, or, if there is no such folder, the checkpoint of that name that
    comes with worldarm."""
    shipped = {str(known.relative_to(PRETRAINED_FOLDER)): known for known in PRETRAINED_FOLDER.iterdir()}
    return shipped[str(folder)] if str(folder) in shipped and not folder.exists() else folder


def load_card(folder: Path) -> Card:
    """Return the card in `folder`. Raises `CheckpointError` as `load` does."""
    path = find(folder) / CARD_FILE
    if not path.is_file():
        shipped = ", ".join(sorted(card.parent.name for card in PRETRAINED_FOLDER.glob(f"*/{CARD_FILE}")))
        raise CheckpointError(
            f"{folder} holds no checkpoint ({CARD_FILE} is missing); make one with `worldarm train`, or name one that "
            f"comes with worldarm: {shipped}"
        )
    try:
        data = read_bounded(path, MAX_JSON_BYTES)
    except (OSError, ConfigurationError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}; copy the whole checkpoint folder") from error
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a worldarm checkpoint: {error}") from error
    if not OLDEST <= schema <= SCHEMA:
        raise CheckpointError(
            f"{path} is of schema {schema} and this worldarm reads {OLDEST} to {SCHEMA}; "
            "train again, or use the version of worldarm that wrote it"
        )
    try:
        card = msgspec.convert(upgraded_card(msgspec.json.decode(data)), Card, dec_hook=read_convention)
        digest = _card_digest(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ConfigurationError) as error:
        raise CheckpointError(f"{path} is not a valid checkpoint card: {error}") from error
    require_possible(card, folder)
    if card.card_sha256 and card.card_sha256 != digest:
        raise CheckpointError(f"{path} was changed after it was written, by hand or by a bad copy; copy it again")
    return card


class _Schema(msgspec.Struct):
    schema: int


def _card_digest(data: bytes) -> str:
    """Return the digest of all that the card's JSON says, as it was written and before it is upgraded."""
    said = {**msgspec.json.decode(data), "card_sha256": ""}
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _stored(value: Tensor) -> Tensor:
    """Return a tensor as it goes to disk: vectors (biases, scales, normalisers) keep their precision."""
    return value.half() if value.ndim > 1 else value
