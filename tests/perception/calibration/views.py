"""Pictures of boards drawn through a known lens, for the tests of calibration."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.benchmark.hand_eye import random_view
from perception.calibration.board_finder import BoardFinder
from perception.calibration.board_renderer import BoardRenderer
from perception.calibration.coverage import Coverage
from perception.camera.board import Board
from perception.camera.calibration_file import VERSION, Calibration, Lens

BOARD = Board()
LENS = Lens(640, 480, ((560.0, 0.0, 327.0), (0.0, 563.0, 233.0), (0.0, 0.0, 1.0)), (-0.25, 0.08, 0.001, -0.0005, 0.0))
CALIBRATION = Calibration(VERSION, "front", LENS, 0.05, 20, BOARD)


def enough_pictures(seed: int = 0) -> list[NDArray[np.uint8]]:
    """Pictures, (H, W, 3) uint8 BGR, in which nothing is missing for a calibration, no two alike."""
    rng, renderer, finder, coverage = (
        np.random.default_rng(seed),
        BoardRenderer(BOARD, LENS),
        BoardFinder(BOARD),
        Coverage(),
    )
    pictures = []
    while coverage.missing:
        assert len(pictures) < 60
        picture = renderer.render(random_view(BOARD, rng, 40.0), rng)
        view = finder.find(picture).view
        if view is not None and coverage.add(view):
            pictures.append(picture)
    return pictures


def write(folder: Path, pictures: list[NDArray[np.uint8]]) -> Path:
    """Write `pictures` as PNG files into `folder`, made if absent; returns it."""
    folder.mkdir(exist_ok=True)
    for index, picture in enumerate(pictures):
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder
