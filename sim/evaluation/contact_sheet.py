"""The demo on one page: for each goal the start, the goal picture and the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from perception.camera.image_file import save_picture
from sim.evaluation.film import BACKGROUND, FONT, GREEN, INK, Image, enlarge

THUMB = 128
GAP = 10
CAPTION = 26
HEADER = 26
COLUMNS = 2
RED = (178, 48, 44)


@dataclass(frozen=True)
class Result:
    """One goal's pictures (H, W, 3) uint8 RGB and its result."""

    number: int
    task: str
    start: Image
    goal: Image
    end: Image
    start_distance_m: float
    final_distance_m: float
    reached: bool


def draw_contact_sheet(results: Sequence[Result], path: Path) -> None:
    """Write a PNG with three pictures and a caption for each of `results` (at least one), two goals per row."""
    cell_width = 3 * THUMB + 4 * GAP
    thumb_height = len(enlarge(results[0].goal, THUMB))
    cell_height = thumb_height + CAPTION + GAP
    rows = -(-len(results) // COLUMNS)
    sheet = np.full((HEADER + rows * cell_height + GAP, COLUMNS * cell_width, 3), BACKGROUND, dtype=np.uint8)
    for column in range(min(COLUMNS, len(results))):
        for index, title in enumerate(("start", "goal", "end")):
            left = column * cell_width + GAP + index * (THUMB + GAP)
            cv2.putText(sheet, title, (left, HEADER - 8), FONT, 0.45, INK, 1, cv2.LINE_AA)
    for place, result in enumerate(results):
        top = HEADER + (place // COLUMNS) * cell_height
        left = (place % COLUMNS) * cell_width + GAP
        for index, picture in enumerate((result.start, result.goal, result.end)):
            across = left + index * (THUMB + GAP)
            sheet[top : top + thumb_height, across : across + THUMB] = enlarge(picture, THUMB)
        words = (
            f"{result.number + 1}, {result.task}: {100 * result.start_distance_m:.1f} cm -> "
            f"{100 * result.final_distance_m:.1f} cm, {'reached' if result.reached else 'not reached'}"
        )
        colour = GREEN if result.reached else RED
        cv2.putText(sheet, words, (left, top + thumb_height + 17), FONT, 0.45, colour, 1, cv2.LINE_AA)
    save_picture(path, sheet)
