"""Checks whether a data set was recorded with a model's embodiment, so that it can train or judge that model."""

from __future__ import annotations

from pathlib import Path

from perception.checkpoint.card import Card
from robot.dataset.reader import Dataset
from robot.embodiment.convention_file import differences
from robot.embodiment.description import EmbodimentDescription, read_embodiment, read_recorded_embodiment
from robot.errors import CheckpointError, DatasetError


def embodiment_for(card: Card, dataset: Dataset) -> EmbodimentDescription:
    """Return a data set's embodiment description, with the model's camera, or with the data set's first camera where it
    has none of that name. Pictures that were recorded at a camera's own rate and size get the size that the model
    takes. Raises `DatasetError` as `read_embodiment` does."""
    recorded = read_recorded_embodiment(dataset.info)
    camera = card.embodiment.camera.name.partition(".")[0]  # a view of a rig is called RIG.NUMBER
    there = recorded is not None and camera in [each.name for each in recorded.cameras]
    return read_embodiment(dataset.info, camera if there else None, card.embodiment.camera.view_size)


def require_embodiment(card: Card, embodiment: EmbodimentDescription, dataset: Path) -> None:
    """Raise `DatasetError` unless a data set was recorded with the model's arm and camera, and its actions and states
    have the same meaning."""
    try:
        card.require(embodiment.arm, embodiment.camera)
    except CheckpointError as error:
        raise DatasetError(f"{dataset} cannot judge this model: {error}") from error
    known = card.embodiment
    if embodiment.action != known.action:
        raise DatasetError(
            f"{dataset} cannot judge this model: its actions have another meaning (they differ in "
            f"{', '.join(differences(embodiment.action, known.action))})"
        )
    if embodiment.state_names != known.state_names:
        raise DatasetError(
            f"{dataset} cannot judge this model: its state is {', '.join(embodiment.state_names)}; the model's is "
            f"{', '.join(known.state_names)}"
        )
