"""What a training's weights depend on, so that no part is resumed, and no checkpoint reused, under other settings."""

from __future__ import annotations

from pathlib import Path

from control.learning.machine import MACHINE_SETTINGS
from control.learning.settings import Learning
from control.model.trained_model import TrainedModel
from perception.checkpoint.files import CARD_FILE, load_card
from perception.model.encoders import EncoderConfig
from perception.training.run_folder import Settings


def origins(
    fingerprint: str, learning: Learning, known: TrainedModel | None, encoder: EncoderConfig, machine: Settings
) -> dict[str, Settings]:
    """Return, for each part that is trained, the settings that its weights depend on, including those of the parts
    that it builds on. `fingerprint` is the data set's, `known` the model whose encoder is kept, and `encoder`
    may have weights in a file of its own."""
    base = {
        "dataset": fingerprint,
        "seed": learning.seed,
        **machine,
        **learning.flat("sizes", "world_model"),
        **learning.chosen(),
        **kept(known),
        **({"encoder_weights": encoder.weights_sha256} if encoder.weights_sha256 else {}),
    }
    heads = {**base, **learning.flat("heads")}
    return {
        "world-model": base,
        "predictor": {**base, **learning.flat("predictor")},
        "decoder": {**base, **learning.flat("decoder")},
        "critic": heads,
        "actor": heads,
    }


def kept(known: TrainedModel | None, *parts: str) -> Settings:
    """Return the digest of the weights whose encoder is kept, and the settings with which `parts` of that model were
    trained; nothing when no encoder is kept."""
    if known is None:
        return {}
    before = known.card.provenance.settings.items()
    return {
        "encoder": known.card.weights_sha256,
        **{name: value for name, value in before if name.partition(".")[0] in parts},
    }


def already_trained(folder: Path, learning: Learning, fingerprint: str) -> bool:
    """Return whether `folder` holds a checkpoint that was trained with the settings `learning`, on any machine, from
    the data set with this `fingerprint`. Raises `CheckpointError` for a damaged card."""
    if not (folder / CARD_FILE).exists():
        return False
    provenance = load_card(folder).provenance
    settings = {name: value for name, value in provenance.settings.items() if name not in MACHINE_SETTINGS}
    found = (provenance.dataset_fingerprint, provenance.seed, settings)
    return found == (fingerprint, learning.seed, learning.everything())
