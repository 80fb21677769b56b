"""Small data sets that the tests of robot.dataset write and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robot.dataset import DatasetWriter, Feature

FPS = 8
CAMERA = "observation.images.front"


def features(picture: str = "image", size: int = 16) -> dict[str, Feature]:
    return {
        CAMERA: Feature(picture, (size, size, 3)),
        "observation.state": Feature("float32", (3,), ("x", "y", "z")),
        "action": Feature("float32", (2,)),
        "capture_ns": Feature("int64"),
        "success": Feature("bool"),
    }


def columns(seed: int, length: int = 5, size: int = 16) -> dict[str, npt.NDArray[Any]]:
    """Random but repeatable contents of one episode; the picture is smooth, so that a video codec keeps it."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, size)
    shade = ramp[None, :, None, None] * rng.uniform(50, 250, (length, 1, 1, 3)) * (0.5 + ramp[None, None, :, None] / 2)
    return {
        CAMERA: shade.astype(np.uint8),
        "observation.state": rng.normal(size=(length, 3)).astype(np.float32),
        "action": rng.normal(size=(length, 2)).astype(np.float32),
        "capture_ns": rng.integers(0, 2**62, length),
        "success": rng.integers(0, 2, length).astype(bool),
    }


def write(root: Path, episodes: int, picture: str = "image") -> Path:
    """A set of this many episodes, of 4, 5, 6, 4, ... frames and two tasks."""
    with DatasetWriter.create(root, FPS, features(picture), "panda", durable=False) as writer:
        for seed in range(episodes):
            writer.save_episode(columns(seed, 4 + seed % 3), f"task {seed % 2}", {"seed": seed})
    return root


def assert_holds(stored: dict[str, npt.NDArray[Any]], expected: dict[str, npt.NDArray[Any]], lossy: bool) -> None:
    for name, values in expected.items():
        assert stored[name].shape == values.shape, name
        assert stored[name].dtype == values.dtype, name
        if lossy and name == CAMERA:
            assert np.abs(stored[name].astype(int) - values).mean() < 4
        else:
            np.testing.assert_array_equal(stored[name], values, err_msg=name)
