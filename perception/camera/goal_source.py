"""A goal as the user names it: an image file, or one frame of a data set."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from perception.camera.framing import reframe
from perception.camera.image_file import load_goal
from perception.camera.interface import Image
from robot.dataset.format.columns import image_column
from robot.dataset.reader import Dataset
from robot.embodiment.description import read_recorded_embodiment
from robot.errors import DatasetError, GoalError
from robot.wire.camera_spec import CameraSpec

_FRAME = re.compile(r"(?P<folder>.+):(?P<episode>-?\d+):(?P<frame>-?\d+)")


def read_goal(source: str, camera: CameraSpec, sent: Callable[[], CameraSpec] | None = None) -> Image:
    """Return the goal picture (H, W, 3) uint8 RGB that `source` names, in the size of the model's `camera`.

    `source` is an image file, or DATASET:EPISODE:FRAME, where numbers below 0 count from the end. A file may have the
    aspect ratio of the model's pictures or of those that the camera sends now, whose specification `sent` returns.
    Raises `GoalError` when there is no such picture or it has another aspect ratio, and `DatasetError` when the data
    set cannot be read.
    """
    found = _FRAME.fullmatch(source)
    if found is None or Path(source).exists():
        return load_goal(Path(source), camera, sent)
    dataset = Dataset.open(Path(found["folder"]))
    key = image_column(camera.name)
    if key not in dataset.features:
        raise GoalError(f"{dataset.root} has no pictures of the camera {camera.name}, which the model uses")
    episode = _place(int(found["episode"]), len(dataset), f"{dataset.root} has", "episodes")
    length = dataset.episodes[episode].length
    frame = _place(int(found["frame"]), length, f"episode {episode} of {dataset.root} has", "frames")
    image = _picture(dataset, episode, key, frame)
    recorded = read_recorded_embodiment(dataset.info)
    if recorded is not None:
        image = reframe(image, next(each for each in recorded.cameras if each.name == camera.name), camera.view_size)
    if image.shape != (camera.height, camera.width, 3):
        raise GoalError(
            f"the pictures of {dataset.root} are {image.shape[1]}x{image.shape[0]}; the model sees camera "
            f"{camera.name} at {camera.width}x{camera.height}"
        )
    return image


def _picture(dataset: Dataset, episode: int, key: str, frame: int) -> Image:
    """Return one picture of an episode; no more than one is in memory. Raises `DatasetError` when it cannot be read."""
    for number, picture in enumerate(dataset.frames(episode, key)):
        if number == frame:
            return picture
    raise DatasetError(f"episode {episode} of {dataset.root} ends before its frame {frame}: check the data set")


def _place(number: int, count: int, who: str, what: str) -> int:
    """Return `number`, which below 0 counts from the end, as a number from 0. Raises `GoalError` when it is not one of
    `count`."""
    if not -count <= number < count:
        raise GoalError(f"{who} {count} {what}; {number} is not among them")
    return number % count
