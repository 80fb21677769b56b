"""A checkpoint on disk: one safetensors file of weights, and one JSON card that says everything needed to use them.

The card names arm, camera, action convention and the data's fingerprint, so a model is refused where it would be
guessing; it also holds the weights' digest, so a torn copy is noticed before anything moves.
"""

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

from perception.checkpoint.shipped import PRETRAINED_FOLDER
from perception.model.world_model import WorldModelConfig
from robot.embodiment.description import EmbodimentDescription
from robot.errors import CheckpointError
from robot.system.files import whole, write_json
from robot.wire.camera_spec import CameraSpec, reframed

SCHEMA = 2
CARD_FILE = "checkpoint.json"
WEIGHTS_FILE = "model.safetensors"
POSITION_TOLERANCE_M = 0.01
ANGLE_TOLERANCE_RAD = math.radians(1.0)
FOCAL_TOLERANCE = 0.01
CENTRE_TOLERANCE = 0.01  # of the picture's width


class Gate(msgspec.Struct, frozen=True):
    """One check of a model against data: its figure, the threshold, and whether it passed."""

    name: str
    value: float
    threshold: float
    above: bool
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the figure is on the right side of the threshold."""
        return self.value >= self.threshold if self.above else self.value <= self.threshold


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the weights came to be: the data's `fingerprint` and size, the settings, the seconds that all steps took,
    and the `series` of episodes that the data belong to (empty when not known), which may have grown since."""

    dataset_fingerprint: str
    episodes: int
    frames: int
    seed: int
    settings: dict[str, str | int | float]
    train_seconds: float
    versions: dict[str, str]
    series: str = ""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"embodiment": "recipe"}):
    """The JSON beside the weights. `block_change` is by how much one block changes the latents at most, nine times
    in ten, in held-out play (mean squared difference); a goal nearer than that counts as reached. `discount` is the
    critic's, `components` the number of the actor's and `features` those it compares by, `hidden` how wide layers of
    both are, `landmarks` the number of the states that are remembered."""

    schema: int
    embodiment: EmbodimentDescription
    world_model: WorldModelConfig
    discount: float
    block_change: float
    provenance: Provenance
    gates: tuple[Gate, ...]
    landmarks: int = 0
    components: int = 1
    features: int = 0
    hidden: int = 256
    weights_sha256: str = ""
    card_sha256: str = ""

    def require(self, arm: str, camera: CameraSpec, cut: bool = False) -> None:
        """Raise `CheckpointError` unless this model was made for that arm and that camera where it stands; with `cut`,
        for what is left of its pictures once they are cut and resized to those that the model sees."""
        if arm != self.embodiment.arm:
            raise CheckpointError(f"this checkpoint was trained on the arm {self.embodiment.arm!r}, not {arm!r}")
        known = self.embodiment.camera
        if camera.name != known.name:
            raise CheckpointError(f"this checkpoint was trained on the camera {known.name!r}, not {camera.name!r}")
        if len(camera.views) != len(known.views):
            raise CheckpointError(
                f"this checkpoint was trained with {len(known.views)} camera(s) at once; {camera.name!r} is "
                f"{len(camera.views)}"
            )
        for seen, learnt in zip(camera.views, known.views, strict=True):
            _require_view(seen, learnt, cut)


def _require_view(camera: CameraSpec, known: CameraSpec, cut: bool) -> None:
    """Raise `CheckpointError` unless `camera` takes pictures as `known` did, or does once they are `cut`."""
    advice = ""
    if cut and (camera.width, camera.height) != (known.width, known.height):
        advice = (
            f"; that is once its {camera.width}×{camera.height} are cut and resized to this checkpoint's "
            f"{known.width}×{known.height}: start `worldarm camera` with the --width and --height that were recorded"
        )
        camera = reframed(camera, (known.width, known.height))
    if (camera.width, camera.height) != (known.width, known.height):
        raise CheckpointError(
            f"this checkpoint sees pictures of {known.width}×{known.height}; the camera {camera.name!r} sends "
            f"{camera.width}×{camera.height}"
        )
    if any(abs(a - b) > FOCAL_TOLERANCE * b for a, b in zip(camera.focal, known.focal, strict=True)):
        raise CheckpointError(
            f"the camera {camera.name!r} has focal lengths {camera.focal} px; this checkpoint was trained with "
            f"{known.focal} px{advice}"
        )
    if math.dist(camera.centre, known.centre) > CENTRE_TOLERANCE * known.width:
        raise CheckpointError(
            f"the camera {camera.name!r} has its optical centre at {camera.centre} px; this checkpoint was trained "
            f"with {known.centre} px: do not crop the pictures otherwise{advice}"
        )
    if camera.position and known.position and math.dist(camera.position, known.position) > POSITION_TOLERANCE_M:
        raise CheckpointError(
            f"the camera {camera.name!r} stands {math.dist(camera.position, known.position) * 100:.1f} cm from "
            "where this checkpoint was trained; move it back or train anew"
        )
    if camera.orientation and known.orientation:
        turned = 2 * math.acos(
            min(1.0, abs(sum(a * b for a, b in zip(camera.orientation, known.orientation, strict=True))))
        )
        if turned > ANGLE_TOLERANCE_RAD:
            raise CheckpointError(
                f"the camera {camera.name!r} is turned by {math.degrees(turned):.1f}° from where this checkpoint "
                "was trained; turn it back or train anew"
            )


def save(folder: Path, card: Card, tensors: dict[str, Tensor]) -> Card:
    """Write weights and card to `folder`, the card last and by rename, and return the card with its digest.

    Matrices are stored in half precision, which halves the file and costs less than the noise of a picture. Raises
    `CheckpointError` for a figure or weight that is not finite, `RecordingError` when they cannot be written.
    """
    stored = {name: _stored(value.detach().cpu()).contiguous() for name, value in tensors.items()}
    for name, value in stored.items():
        if not torch.isfinite(value).all():
            raise CheckpointError(f"the weights {name} are not finite, so there is nothing worth saving")
    for gate in card.gates:
        if not math.isfinite(gate.value):
            raise CheckpointError(f"the gate {gate.name!r} is {gate.value}, which no card can hold")
    with whole(folder / WEIGHTS_FILE) as beside:
        beside.write_bytes(serialise(stored))
        card = msgspec.structs.replace(card, weights_sha256=_digest(beside))
    card = msgspec.structs.replace(card, card_sha256=_card_digest(msgspec.json.encode(card)))
    write_json(folder / CARD_FILE, card)
    return card


def load(folder: Path) -> tuple[Card, dict[str, Tensor]]:
    """Return the card and the weights in `folder`.

    Raises `CheckpointError` when they are missing, torn, foreign or of another schema.
    """
    folder = find(folder)
    card = load_card(folder)
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        raise CheckpointError(f"{folder} has no {WEIGHTS_FILE}; copy the whole checkpoint folder")
    if _digest(weights) != card.weights_sha256:
        raise CheckpointError(f"{weights} is torn or not the file that {CARD_FILE} describes; copy it again")
    try:
        return card, {name: value.float() for name, value in load_file(weights).items()}
    except SafetensorError as error:
        raise CheckpointError(f"{weights} is not a safetensors file: {error}") from error


def find(folder: Path) -> Path:
    """Return where the checkpoint `folder` is: there, or, where there is nothing, with worldarm itself when that is
    the name of one that comes with it."""
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
    data = path.read_bytes()
    try:
        schema = msgspec.json.decode(data, type=_Schema).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not a worldarm checkpoint: {error}") from error
    if schema != SCHEMA:
        raise CheckpointError(
            f"{path} is of schema {schema} and this worldarm reads {SCHEMA}; train anew, or use the version of then"
        )
    try:
        card, digest = msgspec.json.decode(data, type=Card), _card_digest(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not a valid checkpoint card: {error}") from error
    if card.card_sha256 and card.card_sha256 != digest:
        raise CheckpointError(f"{path} was changed after it was written, by hand or by a bad copy; copy it again")
    return card


class _Schema(msgspec.Struct):
    schema: int


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _card_digest(data: bytes) -> str:
    """Return the digest of all that the card's JSON says: as it was written, and not as a later version would."""
    said = {**msgspec.json.decode(data), "card_sha256": ""}
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def _stored(value: Tensor) -> Tensor:
    """Return a tensor as it goes to disk: vectors (biases, scales, normalisers) keep their precision."""
    return value.half() if value.ndim > 1 else value
