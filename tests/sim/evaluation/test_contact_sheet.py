from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sim.evaluation.contact_sheet import CAPTION, GAP, HEADER, RED, THUMB, Result, draw_contact_sheet
from sim.evaluation.film import GREEN

CELL_WIDTH, CELL_HEIGHT = 3 * THUMB + 4 * GAP, THUMB + CAPTION + GAP


def plain(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((64, 64, 3), (red, green, blue), np.uint8)


def result(number: int, reached: bool = True) -> Result:
    shade = 10 * number
    return Result(number, "push", plain(shade, 0, 0), plain(0, shade, 0), plain(0, 0, shade), 0.15, 0.012, reached)


def read_picture(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


def caption(sheet: np.ndarray, place: int) -> np.ndarray:
    """The strip of words below the pictures of the result at `place`."""
    top, left = HEADER + (place // 2) * CELL_HEIGHT + THUMB, (place % 2) * CELL_WIDTH
    return sheet[top : top + CAPTION, left : left + CELL_WIDTH]


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether something is written in this colour; the strokes are thin, so their edges mix with the paper."""
    return bool((np.abs(picture.astype(int) - colour) < 60).all(axis=2).sum() > 20)


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_every_goal_has_its_three_pictures_in_its_place(tmp_path: Path, count: int) -> None:
    results = [result(number + 1) for number in range(count)]
    draw_contact_sheet(results, tmp_path / "sheet.png")
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (HEADER + (count + 1) // 2 * CELL_HEIGHT + GAP, 2 * CELL_WIDTH, 3)
    for place, made in enumerate(results):
        top = HEADER + (place // 2) * CELL_HEIGHT
        for index, picture in enumerate((made.start, made.goal, made.end)):
            left = (place % 2) * CELL_WIDTH + GAP + index * (THUMB + GAP)
            shown = sheet[top : top + THUMB, left : left + THUMB]
            np.testing.assert_array_equal(shown, np.broadcast_to(picture[0, 0], shown.shape))


def test_the_caption_says_by_its_colour_what_came_of_it(tmp_path: Path) -> None:
    draw_contact_sheet([result(1, True), result(2, False), result(3, True)], tmp_path / "sheet.png")
    sheet = read_picture(tmp_path / "sheet.png")
    for place, (reached, other) in enumerate([(GREEN, RED), (RED, GREEN), (GREEN, RED)]):
        assert has(caption(sheet, place), reached) and not has(caption(sheet, place), other)
    assert not has(caption(sheet, 3), GREEN), "no fourth goal, no words"


def test_pictures_of_a_rig_keep_their_shape(tmp_path: Path) -> None:
    both = [np.concatenate([plain(90, 0, 0), plain(0, 0, 90)])] * 3
    draw_contact_sheet([Result(0, "push", *both, 0.15, 0.012, True)], tmp_path / "sheet.png")
    sheet = read_picture(tmp_path / "sheet.png")
    assert len(sheet) == HEADER + 2 * THUMB + CAPTION + 2 * GAP
    for index in range(3):
        across = GAP + index * (THUMB + GAP) + THUMB // 2
        assert sheet[HEADER + THUMB // 2, across].tolist() == [90, 0, 0]
        assert sheet[HEADER + 3 * THUMB // 2, across].tolist() == [0, 0, 90]
