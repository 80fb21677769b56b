from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception.benchmark.hand_eye import random_view
from perception.calibration.board_finder import BoardFinder, Detection, LayoutFinder, View, views_of_one_size
from perception.calibration.board_renderer import BoardRenderer, look_at
from perception.calibration.hand_eye import inverse
from perception.camera.board import Board
from robot.arm.kinematics import Pose
from robot.errors import CalibrationError
from tests.perception.calibration.views import BOARD, LENS

SIZE = (640, 480)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    middle = np.array([*BOARD.size_m, 0.0]) / 2
    pose = inverse(look_at(middle + (0.1, 0.05, -0.42), middle, 0.2))
    return BoardRenderer(BOARD, LENS).render(pose, np.random.default_rng(0))


def test_every_corner_is_found_by_number_in_colour_and_grey(picture: np.ndarray) -> None:
    finder = BoardFinder(BOARD)
    view, grey = finder.find(picture).view, finder.find(picture[..., 0]).view
    assert view is not None and grey is not None
    assert view.size == SIZE and sorted(view.ids) == list(range(40))
    np.testing.assert_array_equal(view.points, BOARD.corners[view.ids])
    np.testing.assert_allclose(grey.pixels, view.pixels, atol=0.05)


def test_a_part_of_the_board_is_enough_and_a_scrap_is_not(picture: np.ndarray) -> None:
    view = BoardFinder(BOARD).find(picture).view
    assert view is not None
    half, scrap = picture.copy(), picture.copy()
    across = float(np.median(view.pixels[:, 0]))
    half[:, round(across) :] = 110
    scrap[:, round(float(view.pixels[:, 0].min()) + 20) :] = 110
    some = BoardFinder(BOARD).find(half).view
    assert some is not None and 8 <= len(some.ids) < 30
    assert BoardFinder(BOARD).find(scrap).view is None
    assert BoardFinder(BOARD).find(np.full((480, 640, 3), 128, np.uint8)) == Detection(None, "no board")


@pytest.mark.parametrize("other", [Board(7, 5), Board(12, 8), Board(6, 9), Board(10, 6)])
def test_another_board_is_told_from_none(picture: np.ndarray, other: Board) -> None:
    assert BoardFinder(other).find(picture) == Detection(None, "another board")


def test_a_bent_board_is_not_taken_for_a_flat_one(picture: np.ndarray) -> None:
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    wave = cv2.remap(picture, columns, rows + 25 * np.sin(columns / 30), cv2.INTER_LINEAR)
    assert BoardFinder(BOARD).find(np.asarray(wave, np.uint8)).view is None


LEGACY = Board(legacy=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_layout_of_a_board_is_recognised_from_its_pictures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for board in (BOARD, LEGACY):
        renderer, finder = BoardRenderer(board, LENS), LayoutFinder(BOARD)
        views = [finder.find(renderer.render(random_view(board, rng, 40.0), rng)).view for _ in range(4)]
        assert finder.board == board
        assert all(view is not None for view in views)


def test_a_board_of_the_other_layout_is_another_board() -> None:
    pose = inverse(look_at(np.array([*BOARD.size_m, -0.8]) / 2, np.array([*BOARD.size_m, 0.0]) / 2, 0.1))
    for board, other in ((BOARD, LEGACY), (LEGACY, BOARD)):
        picture = BoardRenderer(board, LENS).render(pose)
        view = BoardFinder(board).find(picture).view
        assert view is not None and len(view.ids) == 40
        assert BoardFinder(other).find(picture) == Detection(None, "another board")


def test_with_an_odd_number_of_rows_both_layouts_are_one() -> None:
    odd, pose = Board(9, 5), Pose(np.array([-0.126, -0.07, 0.45]), np.eye(3))
    picture = BoardRenderer(odd, LENS).render(pose)
    np.testing.assert_array_equal(picture, BoardRenderer(Board(9, 5, legacy=True), LENS).render(pose))
    finder = LayoutFinder(odd)
    assert finder.find(picture).view is not None and finder.board == odd


@pytest.mark.parametrize("board", [BOARD, LEGACY])
def test_a_mirrored_picture_is_called_mirrored(board: Board) -> None:
    pose = inverse(look_at(np.array([0.2, 0.1, -0.4]), np.array([*BOARD.size_m, 0.0]) / 2, 0.1))
    picture = BoardRenderer(board, LENS).render(pose)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    assert LayoutFinder(BOARD).find(mirrored) == Detection(None, "a mirrored board")
    upside_down = np.ascontiguousarray(picture[::-1, ::-1])  # rotated, not mirrored
    assert LayoutFinder(BOARD).find(upside_down).view is not None


def named(*sights: Detection) -> list[tuple[str, tuple[int, int], Detection]]:
    return [(f"{index}.png", SIZE, sight) for index, sight in enumerate(sights)]


def test_what_is_wrong_with_all_pictures_is_told() -> None:
    points = BOARD.corners[:8]
    good = Detection(View(np.arange(8, dtype=np.int32), points[:, :2] * 1000, points, SIZE))
    none, other, scrap = (Detection(None, why) for why in ("no board", "another board", "too little of the board"))
    assert [name for name, _ in views_of_one_size(named(none, good, scrap), BOARD)] == ["1.png"]
    with pytest.raises(CalibrationError, match=r"none of 2 pictures shows the board.*none shows anything"):
        views_of_one_size(named(none, none), BOARD)
    with pytest.raises(CalibrationError, match="2 show too small a part of one"):
        views_of_one_size(named(none, scrap, scrap), BOARD)
    with pytest.raises(CalibrationError, match="2 of 3 pictures show another board than 9x6"):
        views_of_one_size(named(other, other, good), BOARD)
    flipped = Detection(None, "a mirrored board")
    with pytest.raises(CalibrationError, match="2 of 4 pictures are mirrored: switch mirroring off"):
        views_of_one_size(named(flipped, flipped, good, none), BOARD)
    with pytest.raises(CalibrationError, match=r"differ in size: 0\.png is 640x480, 1\.png is 320x240"):
        views_of_one_size([("0.png", SIZE, good), ("1.png", (320, 240), good)], BOARD)
