"""`worldarm check`: measures on a data set whether a checkpoint can be planned with, before any arm moves."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from control.learning.compatibility import embodiment_for, require_embodiment
from control.learning.doctor import HELD_OUT_SHARE, examine, verdict
from control.model.trained_model import TrainedModel, load_trained
from perception.checkpoint.card import Card, Gate
from perception.checkpoint.files import save_card
from perception.evaluation.picture_errors import augmentation_of, measure_errors
from perception.training.world_model import encode_all
from perception.training_data.frame_cache import FrameCache, kept_aside
from perception.training_data.rig_view import open_seen, seen_by, view_like
from robot.dataset.reader import Dataset
from robot.errors import CheckpointError, DatasetError

OTHER_DATA_SHARE = 0.25
"""Share of the episodes to judge by, on data that the model did not learn from: all of them are held-out data."""


class Kinship(Enum):
    """The relation of a data set to the data that a model learnt from."""

    SAME = "the data it learnt from"
    SERIES = "the data it learnt from, with more or fewer episodes"
    OTHER = "data it did not learn from"


def check(
    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(help="folder of the checkpoint")],
    dataset: Annotated[Path, tyro.conf.arg(help="the data set to measure it on")] = Path("data/play"),
    cache: Annotated[Path, tyro.conf.arg(help="folder for the decoded frames, kept for the next time")] = Path(
        "out/check/cache"
    ),
    calibrate: Annotated[
        bool,
        tyro.conf.arg(
            help="measure too how well the model draws the held-out pictures, and write that to its card: `worldarm "
            "run` then refuses goal pictures that look like nothing the model knows"
        ),
    ] = False,
) -> int:
    """Measure whether a checkpoint can be planned with, on a data set of the same arm, camera and actions.

    Prints each gate with its figure and threshold, then "plannable" or the reasons why not. On the data that the model
    learnt from, only the episodes that training kept aside, or that were added since, are judged. The exit status is 0
    when plannable, 1 when not.
    """
    trained = load_trained(checkpoint)
    source = Dataset.open(dataset)
    embodiment = embodiment_for(trained.card, source)
    view = view_like(embodiment, trained.card.embodiment.camera)
    require_embodiment(trained.card, seen_by(embodiment, view), dataset)
    frames = open_seen(source, view, embodiment, cache)
    fit, judge = split(trained.card, frames)
    latents = encode_all(trained.parts.model, frames, torch.device("cpu"))
    if not bool(torch.isfinite(latents).all()):
        raise CheckpointError(f"{checkpoint} encodes pictures of {dataset} to numbers that are not finite; train again")
    gates = examine(trained.parts, frames, latents, fit, judge, embodiment.state_names)
    print(
        f"{checkpoint} on {dataset} ({_kinship(trained.card, frames).value}): "
        f"probes fitted on {len(fit)} episodes, judged on {len(judge)} others"
    )
    print(table(gates))
    print(verdict(gates))
    if calibrate:
        print(_calibrated(checkpoint, trained, frames, judge))
    return 0 if all(gate.passed for gate in gates) else 1


def _calibrated(checkpoint: Path, trained: TrainedModel, frames: FrameCache, judge: NDArray[np.int64]) -> str:
    """Write to the card in `checkpoint` how well the model draws pictures that it did not learn from, and return what
    was written. On other data these are all episodes, not those to `judge` on alone."""
    card, parts = trained.card, trained.parts
    unseen = np.arange(len(frames.lengths)) if _kinship(card, frames) is Kinship.OTHER else judge
    varied = augmentation_of(card.provenance.settings)
    errors = measure_errors(parts.model, parts.decoder, frames, unseen, varied)
    save_card(checkpoint, msgspec.structs.replace(card, picture_errors=errors))
    return (
        f"calibrated on {errors.pictures} pictures: a goal picture is refused above a difference of "
        f"{errors.difference.limit:.3f} (median {errors.difference.median:.3f}) or a dissimilarity of "
        f"{errors.dissimilarity.limit:.3f} (median {errors.dissimilarity.median:.3f}) from what the model draws of it"
    )


def split(card: Card, frames: FrameCache) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the episodes to fit probes on and those to judge on. The model learnt from none of the latter.

    Raises `DatasetError` for too few.
    """
    kinship = _kinship(card, frames)
    if kinship is not Kinship.SERIES:
        return frames.split(HELD_OUT_SHARE if kinship is Kinship.SAME else OTHER_DATA_SHARE)
    episodes = card.provenance.episodes
    if len(frames.starts) < episodes:
        learnt = episodes - kept_aside(episodes, HELD_OUT_SHARE)
        raise DatasetError(
            f"the data set has {min(len(frames.starts), learnt)} of the {learnt} episodes that the model learnt from "
            "and no others; record more, or judge it on other data"
        )
    return frames.split(HELD_OUT_SHARE, episodes)


def _kinship(card: Card, frames: FrameCache) -> Kinship:
    if frames.fingerprint == card.provenance.dataset_fingerprint:
        return Kinship.SAME
    return Kinship.SERIES if frames.series == card.provenance.series else Kinship.OTHER


def table(gates: Sequence[Gate]) -> str:
    """Return the gates as lines of text, each with name, figure, threshold, and whether it passed."""
    rows = [("gate", "figure", "threshold", "")]
    for gate in gates:
        side = "at least" if gate.above else "at most"
        rows.append(
            (
                gate.name,
                f"{gate.value:.2f} {gate.unit}",
                f"{side} {gate.threshold:g}",
                "pass" if gate.passed else "FAIL",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
