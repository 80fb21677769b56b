"""The card of a finished training."""

from __future__ import annotations

import platform

import msgspec
import numpy as np
import torch
from torch import Tensor

from control.decision_config import default_decision_config
from control.goals.goal_detector import block_change
from control.learning.origins import kept
from control.learning.training import Training
from perception.checkpoint.card import SCHEMA, Card, Gate, Provenance
from perception.evaluation.picture_errors import augmentation_of, measure_errors
from perception.model.entities.layout import layout_of


def training_card(training: Training, latents: Tensor, gates: tuple[Gate, ...]) -> Card:
    """Return the card: for what arm and camera, with what sizes, from what data, and how the doctor judged it.
    `latents` (N, D) are those of all frames."""
    cache, judge, parts = training.cache, training.judge, training.parts
    provenance = _provenance(training)
    layout = layout_of(parts.model.encoder)
    varied = augmentation_of(provenance.settings)
    return Card(
        schema=SCHEMA,
        embodiment=training.embodiment,
        world_model=training.config,
        heads=training.learning.heads.config(training.config.entities),
        block_change=block_change(latents, cache.starts[judge], cache.lengths[judge], layout),
        provenance=provenance,
        gates=gates,
        decision=msgspec.to_builtins(
            default_decision_config(bool(training.config.binary), training.config.entities > 0)
        ),
        picture_errors=measure_errors(parts.model, parts.decoder, cache, judge, varied, training.learning.seed),
    )


def _provenance(training: Training) -> Provenance:
    recorded, known = training.recorded, training.known
    seconds = sum(history.seconds for history in training.histories.values())
    before = 0.0 if known is None else known.card.provenance.train_seconds
    return Provenance(
        dataset_fingerprint=recorded.fingerprint,
        episodes=len(recorded.starts),
        frames=recorded.frames,
        seed=training.learning.seed,
        settings={
            **training.learning.everything(),
            **kept(known, "world_model", "decoder"),
            **training.machine.settings(),
        },
        train_seconds=round(seconds + before, 1),
        versions={"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__},
        series=recorded.series,
    )
