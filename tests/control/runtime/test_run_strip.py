from __future__ import annotations

import numpy as np
import pytest

from control.runtime.run_strip import GAP, TITLE, draw_strip
from control.runtime.step import Outcome
from robot.wire.entity_mark import EntityMark

PLACES = (16.0, 8.0), (8.0, 24.0), (24.0, 24.0)
MARK = EntityMark("red", (255, 0, 0), PLACES[:1], PLACES[1:2], (PLACES[2:],))


def outcome(views: int = 1, imagined: bool = True, *marks: EntityMark) -> Outcome:
    def plain(level: int) -> np.ndarray:
        return np.full((32 * views, 32, 3), level, np.uint8)

    last = plain(120) if imagined else None
    return Outcome(False, "over", 1, 0, 0, (1.0,), (1.0,), plain(60), plain(90), last, entities=marks)


def panels(strip: np.ndarray, views: int = 1) -> list[np.ndarray]:
    """Goal, first, last and imagined picture of a strip."""
    lefts = [GAP + number * (256 + GAP) for number in range(4)]
    assert strip.shape == (TITLE + 256 * views + GAP, lefts[-1] + 256 + GAP, 3)
    return [strip[TITLE : TITLE + 256 * views, left : left + 256] for left in lefts]


@pytest.mark.parametrize("views", [1, 2])
def test_the_pictures_stand_beside_each_other_large_enough_for_people(views: int) -> None:
    goal = np.full((32 * views, 32, 3), 30, np.uint8)
    shown = panels(draw_strip(goal, outcome(views)), views)
    assert [int(each.mean()) for each in shown] == [30, 60, 90, 120]
    nothing = panels(draw_strip(goal, outcome(views, imagined=False)), views)[3]
    assert (nothing == nothing[0, 0]).all()


def test_things_are_marked_where_they_are_wanted_where_they_are_and_where_they_are_imagined() -> None:
    goal = np.full((32, 32, 3), 30, np.uint8)
    shown = panels(draw_strip(goal, outcome(1, True, MARK)))

    def ringed(picture: np.ndarray, place: tuple[float, float]) -> bool:
        across, down = (round(8 * each) for each in place)
        return bool((picture[down - 9, across - 2 : across + 3] == (255, 0, 0)).all(-1).any())

    found = [[ringed(picture, place) for place in PLACES] for picture in shown]
    assert found == [[False, True, False], [False] * 3, [True, False, False], [False, False, True]]
