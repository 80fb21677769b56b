"""What all stages of one training share (data, split, parts and folders), and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from control.learning.compatibility import require_embodiment
from control.learning.doctor import HELD_OUT_SHARE, require_enough
from control.learning.machine import Machine
from control.learning.origins import origins
from control.learning.settings import Learning
from control.learning.sizes import Sizes, completed, encoder_for, model_config, require_sizes
from control.model.trained_model import Parts, TrainedModel, load_trained, new_parts
from perception.model.encoders import EncoderDescription
from perception.model.world_model import WorldModelConfig
from perception.training.distributed import Workers
from perception.training.loop import History
from perception.training.run_folder import claim_run
from perception.training_data.frame_cache import FrameCache
from perception.training_data.mirroring import with_mirrored
from perception.training_data.rig_view import open_seen, seen_by
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription, read_embodiment
from robot.errors import DatasetError
from robot.system.files import make_folder


@dataclass(frozen=True)
class Folders:
    """Where a training reads its `dataset`, writes its checkpoint (`output`), keeps what a resume needs (`run`) and
    decodes frames to (`cache`)."""

    dataset: Path
    output: Path
    run: Path
    cache: Path


@dataclass(frozen=True)
class Training:
    """One training: its data, its settings, the parts that learn, and their loss curves.

    `recorded` holds the frames as recorded; `cache` holds those and the mirror images, if any. `fit` (E,) and `judge`
    (J,) are the numbers of the episodes to learn from and of those held out. `known` is the model whose encoder is
    kept, None when one is trained. `histories` is filled by the stages, by the name of the part.
    """

    folders: Folders
    learning: Learning
    machine: Machine
    known: TrainedModel | None
    embodiment: EmbodimentDescription
    recorded: FrameCache
    cache: FrameCache
    fit: NDArray[np.int64]
    judge: NDArray[np.int64]
    config: WorldModelConfig
    parts: Parts
    histories: dict[str, History] = field(default_factory=dict)


def open_training(folders: Folders, learning: Learning, machine: Machine) -> Training:
    """Decode the data, split it, claim the run's folder, and make untrained parts.

    Raises `ConfigurationError` for settings that do not fit together, `DatasetError` for unsuitable data,
    `CheckpointError` for an encoder that cannot be loaded or a run with other settings, and `RecordingError` for a
    folder that cannot be written.
    """
    learning.require_batches(machine.workers.count)
    known = None if learning.encoder is None else load_trained(learning.encoder)
    if known is not None:
        learning = replace(learning, sizes=completed(learning.sizes, known))
    source = Dataset.open(folders.dataset)
    encoder = encoder_for(source, learning.sizes, learning.camera, learning.view)
    heads = learning.heads.config(encoder.entities)
    recorded_embodiment = read_embodiment(source.info, learning.camera, encoder.picture)
    embodiment = seen_by(recorded_embodiment, learning.view)
    if known is not None:
        require_embodiment(known.card, embodiment, folders.dataset)

    def claim(fingerprint: str) -> None:
        claim_run(folders.run, origins(fingerprint, learning, known, encoder.config, machine.settings()))

    recorded = _decode(source, recorded_embodiment, folders, learning.view, machine.workers, claim)
    fit, judge = _split(recorded, folders.dataset, learning)
    cache = recorded
    if learning.mirror:
        cache, mirrored = with_mirrored(recorded, fit, embodiment)
        fit = np.concatenate([fit, mirrored])
    config = _config(cache, embodiment, learning.sizes, encoder, known)
    torch.manual_seed(learning.seed)
    parts = new_parts(config, heads)
    return Training(folders, learning, machine, known, embodiment, recorded, cache, fit, judge, config, parts)


def _decode(
    source: Dataset,
    embodiment: EmbodimentDescription,
    folders: Folders,
    view: int | None,
    workers: Workers,
    claim: Callable[[str], None],
) -> FrameCache:
    """Return the frames of `source`, decoded by the leading process while the others wait, and `claim` the run's folder
    for data with this fingerprint."""
    if not workers.leads:
        workers.wait()
    for folder in (folders.output, folders.run):
        make_folder(folder)
    cache = open_seen(source, view, embodiment, folders.cache)
    if workers.leads:
        claim(cache.fingerprint)
        workers.wait()
    return cache


def _split(cache: FrameCache, dataset: Path, learning: Learning) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the episodes to learn from and those held out. Raises `DatasetError` for too few or too short ones."""
    fit, judge = cache.split(HELD_OUT_SHARE)
    fit = fit[np.isin(cache.recorded[fit], np.unique(cache.recorded[fit])[: learning.episodes])]
    world_model, earlier = learning.world_model, learning.sizes.context - 1
    clip = max((world_model.clip - 1 + earlier) * world_model.stride + 1, learning.predictor.clip + earlier)
    if cache.lengths[fit].max() < clip:
        raise DatasetError(
            f"the longest episode to learn from in {dataset} has {cache.lengths[fit].max()} frames; "
            f"training needs clips of {clip}"
        )
    require_enough(cache, judge)
    return fit, judge


def _config(
    cache: FrameCache,
    embodiment: EmbodimentDescription,
    sizes: Sizes,
    encoder: EncoderDescription,
    known: TrainedModel | None,
) -> WorldModelConfig:
    """Return the world model's configuration. Raises `ConfigurationError` where a kept encoder does not fit it."""
    config = model_config(cache, embodiment, sizes, encoder)
    if known is None:
        return config
    # Older models do not mask commands; one whose encoder is kept goes on without the mask.
    config = msgspec.structs.replace(config, commands=known.card.world_model.commands)
    require_sizes(known, config)
    return config
