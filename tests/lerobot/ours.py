"""Data sets as worldarm records them: two video cameras with everything a recorder adds, and one with PNG pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot.dataset import DatasetWriter, Feature
from robot.dataset.format.recorder_columns import recorded_features

FPS = 10
HEIGHT, WIDTH = 48, 64
CAMERAS = ("front", "wrist")
JOINTS = ("base", "elbow")
TASKS = ("den Würfel heben", "立方体を置く", 'push the "cube"\nagain 🤖', "den Würfel heben")
LENGTHS = (8, 5, 11, 6)


def features(picture: str) -> dict[str, Feature]:
    """What a recorder of two cameras writes; with PNG, of one and without its extras."""
    cameras = CAMERAS if picture == "video" else CAMERAS[:1]
    return {
        **{f"observation.images.{name}": Feature(picture, (HEIGHT, WIDTH, 3)) for name in cameras},
        "observation.state": Feature("float32", (len(JOINTS),), JOINTS),
        "action": Feature("float32", (len(JOINTS),), JOINTS),
        **(recorded_features(cameras, JOINTS, ("velocity", "keep-out", "late")) if picture == "video" else {}),
    }


def columns(picture: str, seed: int, length: int) -> dict[str, npt.NDArray[Any]]:
    """Contents of one episode, the same each time; pictures are smooth, so that a video codec keeps them."""
    rng = np.random.default_rng(seed)
    made: dict[str, npt.NDArray[Any]] = {}
    for name, feature in features(picture).items():
        if feature.is_picture:
            ramp = np.linspace(0.2, 1.0, WIDTH)[None, None, :, None]
            made[name] = (rng.uniform(60, 250, (length, 1, 1, 3)) * ramp * np.ones((1, HEIGHT, 1, 1))).astype(np.uint8)
        elif feature.dtype == "float32":
            made[name] = rng.normal(size=(length, *feature.shape)).astype(np.float32)
        elif feature.dtype == "int64":
            made[name] = rng.integers(2**61, 2**62, length)
        else:
            made[name] = rng.integers(0, 2, (length, *feature.shape)).astype(bool)
    return made


def write(root: Path, picture: str, first: int = 0) -> list[dict[str, npt.NDArray[Any]]]:
    """Write a set of four episodes, and return their contents."""
    episodes = [columns(picture, first + number, length) for number, length in enumerate(LENGTHS)]
    with DatasetWriter.create(root, FPS, features(picture), "so101", durable=False) as writer:
        for number, (episode, task) in enumerate(zip(episodes, TASKS, strict=True)):
            extra: dict[str, object] = {"marks": ["frame late"] if number == 1 else [], "seed": number}
            writer.save_episode(episode, task, extra if picture == "video" else {})
    return episodes
