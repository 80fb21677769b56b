"""The pictures of one camera, from a data set whose pictures show all views of a rig."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from perception.training_data.frame_cache import FrameCache, Pictures, open_cache
from robot.dataset.reader import Dataset
from robot.embodiment.description import EmbodimentDescription
from robot.wire.camera_spec import CameraSpec


class OneView:
    """The rows of pixels from `first` to before `end` of pictures (N, H, W, 3), cut out when read."""

    def __init__(self, pictures: Pictures, first: int, end: int) -> None:
        self._pictures = pictures
        self._rows = slice(first, end)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """Return those rows of the pictures at `index`, which may have any shape."""
        return self._pictures[index][..., self._rows, :, :]


def seen_by(embodiment: EmbodimentDescription, view: int | None) -> EmbodimentDescription:
    """Return `embodiment` with the camera number `view` of its rig, counted from 1 at the top, in place of the rig;
    unchanged for None. Raises `ConfigurationError` when there is no such camera."""
    return embodiment if view is None else msgspec.structs.replace(embodiment, camera=embodiment.camera.view(view))


def view_like(embodiment: EmbodimentDescription, camera: CameraSpec) -> int | None:
    """Return the number in the rig of `embodiment` of the camera that equals `camera`, None when none does."""
    if not embodiment.camera.below:
        return None
    numbers = range(1, 1 + len(embodiment.camera.views))
    return next((number for number in numbers if embodiment.camera.view(number) == camera), None)


def open_seen(dataset: Dataset, view: int | None, embodiment: EmbodimentDescription, folder: Path) -> FrameCache:
    """Return the frames of `dataset`, which has the embodiment description `embodiment`, with the pictures of the
    camera number `view` of its rig, or of all cameras for None.

    Raises as `seen_by` and `open_cache` do.
    """
    seen = seen_by(embodiment, view).camera
    cache = open_cache(dataset, embodiment.camera.name, folder, embodiment.camera.view_size)
    if view is None:
        return cache
    first = sum(above.height for above in embodiment.camera.views[: view - 1])
    return dataclasses.replace(cache, images=OneView(cache.images, first, first + seen.height))
