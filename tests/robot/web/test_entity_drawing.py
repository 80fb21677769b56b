from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.web.entity_drawing import draw_goal, draw_imagined, draw_now, in_view
from robot.wire.entity_mark import EntityMark
from robot.wire.limits import MAX_PICTURE_SIDE, MAX_VIEWS

RED, BLUE = (217, 26, 26), (31, 64, 217)
GREY = np.full((160, 160, 3), 128, np.uint8)
SCALE = 5.0
"""The agent saw 32 × 32 pixels."""
HERE, THERE, WANTED = (6.0, 10.0), (16.0, 10.0), (26.0, 10.0)
MARK = EntityMark("red", RED, (HERE,), (WANTED,), ((HERE,), ((11.0, 10.0),), (THERE,)))


def coloured(picture: np.ndarray, colour: tuple[int, int, int] = RED) -> np.ndarray:
    """Which pixels have a mark's colour."""
    return (np.abs(picture.astype(int) - colour) < 30).all(-1)


def round_about(picture: np.ndarray, place: tuple[float, float]) -> np.ndarray:
    """What is within 10 pixels of a place of the agent's picture."""
    across, down = (round(SCALE * each) for each in place)
    return picture[max(0, down - 10) : down + 11, max(0, across - 10) : across + 11]


def ringed(picture: np.ndarray, place: tuple[float, float]) -> bool:
    """Whether there is a ring round a place: red above, below and at both sides of it."""
    found = coloured(round_about(picture, place))
    return bool(found[:4, 8:13].any() and found[-4:, 8:13].any() and found[8:13, :4].any() and found[8:13, -4:].any())


def test_the_present_picture_shows_where_a_thing_is_its_way_and_where_it_is_wanted() -> None:
    drawn = draw_now(GREY, [MARK], SCALE)
    assert ringed(drawn, HERE) and not ringed(drawn, THERE) and not ringed(drawn, WANTED)
    row = coloured(drawn)[round(SCALE * HERE[1])]
    assert row[45:80].all() and not row[90:115].any(), "the way leads from the thing to the plan's end"
    assert coloured(round_about(drawn, WANTED)).sum() > 20, "a cross"


def test_the_imagined_picture_shows_the_ring_at_the_end_of_the_way() -> None:
    drawn = draw_imagined(GREY, [MARK], SCALE)
    assert ringed(drawn, THERE) and not ringed(drawn, HERE)
    assert ringed(draw_imagined(GREY, [EntityMark("red", RED, (HERE,))], SCALE), HERE), "nothing was planned"


def test_the_goal_shows_only_what_is_wanted_somewhere() -> None:
    drawn = draw_goal(GREY, [MARK, EntityMark("blue", BLUE, (HERE,), (), ((THERE,),))], SCALE)
    assert ringed(drawn, WANTED) and not coloured(drawn, BLUE).any()
    assert not coloured(round_about(drawn, HERE)).any()


def test_what_is_hidden_has_no_mark() -> None:
    hidden = EntityMark("red", RED, (None,), (None,), ((None,), (None,)))
    for draw in (draw_now, draw_imagined, draw_goal):
        np.testing.assert_array_equal(draw(GREY, [hidden], SCALE), GREY)


@pytest.mark.parametrize("place", [(0.0, 0.0), (31.9, 0.0), (0.0, 31.9), (31.9, 31.9)])
def test_a_name_in_a_corner_is_not_cut_off(place: tuple[float, float]) -> None:
    name = "magenta"

    def letters(where: tuple[float, float]) -> int:
        return int((draw_now(GREY, [EntityMark(name, RED, (where,))], SCALE) < 60).all(-1).sum())

    assert letters(place) == pytest.approx(letters((8.0, 16.0)), rel=0.1)


def test_small_pictures_bear_no_names() -> None:
    marks = [EntityMark("red", RED, (HERE,)), EntityMark("blue", RED, (HERE,))]
    small = [draw_now(GREY, [mark], 2.0) for mark in marks]
    large = [draw_now(GREY, [mark], SCALE) for mark in marks]
    assert np.array_equal(*small) and not np.array_equal(*large)


def test_marks_of_one_view_are_without_the_places_of_the_others() -> None:
    rig = EntityMark("red", RED, (HERE, THERE), (WANTED, None), ((HERE, THERE),))
    assert in_view([rig], 0) == (EntityMark("red", RED, (HERE,), (WANTED,), ((HERE,),)),)
    assert in_view([rig], 1) == (EntityMark("red", RED, (THERE,), (None,), ((THERE,),)),)
    assert in_view([EntityMark("red", RED, (HERE, THERE))], 0) == (EntityMark("red", RED, (HERE,)),)


FARTHEST = float(MAX_PICTURE_SIDE * MAX_VIEWS)
PIXELS = st.floats(-FARTHEST, FARTHEST)
PLACES = st.lists(st.none() | st.tuples(PIXELS, PIXELS), max_size=3).map(tuple)


@settings(max_examples=50)
@given(
    st.builds(EntityMark, st.text(max_size=70), st.just(RED), PLACES, PLACES, st.lists(PLACES, max_size=3).map(tuple)),
    st.sampled_from([1.0, 2.5, 7.5, 40.0]),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
)
def test_any_mark_that_may_come_is_drawn_into_a_copy_of_any_picture(
    mark: EntityMark, scale: float, size: tuple[int, int]
) -> None:
    picture = np.full((*size, 3), 128, np.uint8)
    for draw in (draw_now, draw_imagined, draw_goal):
        drawn = draw(picture, [mark], scale)
        assert drawn.shape == picture.shape and drawn.dtype == np.uint8
    assert (picture == 128).all()
