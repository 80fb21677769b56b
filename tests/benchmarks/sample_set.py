"""A data set to measure reading with: two cameras that see a textured scene, something moving and noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from robot.dataset import DatasetWriter, Feature
from robot.dataset.format.columns import ACTION, STATE, image_column

FPS = 30
CAMERAS = (image_column("front"), image_column("wrist"))
JOINTS = tuple(f"joint{number}" for number in range(1, 8))


def write_sample_set(root: Path, episodes: int, frames: int, height: int, width: int, seed: int) -> None:
    """Write a set of so many episodes of so many frames; AV1 as the recorder has it. Raises RecordingError."""
    features = {
        **{name: Feature("video", (height, width, 3)) for name in CAMERAS},
        STATE: Feature("float32", (len(JOINTS),), JOINTS),
        ACTION: Feature("float32", (len(JOINTS),), JOINTS),
    }
    rng = np.random.default_rng(seed)
    with DatasetWriter.create(root, FPS, features, "sample", durable=False) as writer:
        for _ in tqdm(range(episodes), desc="writing a data set", unit="episode", delay=2.0):
            columns: dict[str, npt.NDArray[np.generic]] = {name: _film(rng, frames, height, width) for name in CAMERAS}
            for name in (STATE, ACTION):
                columns[name] = rng.normal(size=(frames, len(JOINTS))).astype(np.float32).cumsum(axis=0)
            writer.save_episode(columns, "look at the square")


def _film(rng: np.random.Generator, frames: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    coarse = rng.uniform(30, 220, (height // 16 + 1, width // 16 + 1, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    film = np.empty((frames, height, width, 3), np.uint8)
    side = height // 5
    for number, turn in enumerate(np.linspace(0, 4 * np.pi, frames)):
        picture = scene + rng.normal(0, 4, (height, width, 1)).astype(np.float32)
        top, left = int((height - side) * (1 + np.sin(turn)) / 2), int((width - side) * (1 + np.cos(0.7 * turn)) / 2)
        picture[top : top + side, left : left + side] = (200, 60, 40)
        film[number] = picture.clip(0, 255)
    return film
