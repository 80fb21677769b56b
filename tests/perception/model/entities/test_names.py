from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.model.encoders import LocatingEncoder
from perception.model.entities.names import COLOURS, TokenColours, token_colours
from perception.model.entities.slot_encoder import SlotEncoder
from robot.errors import GoalError

GREY = (128, 135, 132)
RED, YELLOW, BLUE = (217, 26, 26), (230, 184, 20), (31, 64, 217)
SIDE = 16
Square = tuple[int, int, int]
LEFT, RIGHT, TOP = (1, 1, 2), (4, 4, 3), (1, 4, 2)
"""Squares: the first row, the first column, and the side, in cells of 2 × 2 pixels."""


def part(square: Square, cell: int = 1) -> tuple[slice, slice]:
    """Where a square is in an array that has so large cells."""
    row, column, side = square
    return slice(cell * row, cell * (row + side)), slice(cell * column, cell * (column + side))


def picture(*views: dict[Square, tuple[int, int, int]]) -> np.ndarray:
    """A picture of stacked views, each grey with coloured squares."""
    made = np.full((len(views) * SIDE, SIDE, 3), GREY, np.uint8)
    for view, squares in zip(np.split(made, len(views)), views, strict=True):
        for where, colour in squares.items():
            view[part(where, 2)] = colour
    return made


def shares(tokens: int, *held: tuple[int, int, Square], take: float = 1.0) -> torch.Tensor:
    """Shares (K, V, H, W) of tokens, the last of which has the ground. `held`: (token, view, square) whose cells that
    token takes to the share `take`."""
    views = 1 + max(view for _, view, _ in held)
    made = torch.zeros(tokens, views, SIDE // 2, SIDE // 2)
    made[-1] = 1.0
    for token, view, where in held:
        made[-1, view][part(where)] = 1.0 - take
        made[token, view][part(where)] = take
    return made


def test_each_thing_is_called_by_its_colour() -> None:
    seen = token_colours(picture({LEFT: RED, RIGHT: BLUE}), shares(4, (2, 0, LEFT), (0, 0, RIGHT)))
    assert seen.seen == ("blue", "red"), "the commonest is first"
    assert [seen.label(token) for token in range(4)] == ["blue", "", "red", ""]
    for name in ("red", "red_cube", "Red cube", "cube-red"):
        assert seen.holders(name).flatten().tolist() == [False, False, True, False]
    assert float(seen.size("blue_box")) == pytest.approx(9 / 64)
    torch.testing.assert_close(seen.rgb[2], torch.tensor(RED) / 255)
    torch.testing.assert_close(seen.rgb[3], torch.tensor(GREY) / 255)


def test_a_thing_may_be_held_by_another_token_in_each_view() -> None:
    both = picture({LEFT: RED, RIGHT: YELLOW}, {TOP: RED})
    seen = token_colours(both, shares(4, (0, 0, LEFT), (1, 0, RIGHT), (2, 1, TOP)))
    assert seen.holders("red").tolist() == [[True, False], [False, False], [False, True], [False, False]]
    assert seen.holders("yellow").tolist() == [[False, False], [True, False], [False, False], [False, False]]


def test_a_token_that_takes_less_than_half_holds_nothing_that_another_holds() -> None:
    red, half_hidden = picture({LEFT: RED}), picture({RIGHT: YELLOW})
    both = shares(3, (0, 0, LEFT), take=0.6)
    both[1:, 0, 1:3, 1:3] = torch.tensor([0.4, 0.0])[:, None, None]
    assert token_colours(red, both).holders("red").flatten().tolist() == [True, False, False]
    few = shares(3, (1, 0, RIGHT), take=0.4)
    few[::2, 0, 4:7, 4:7] = 0.3
    assert token_colours(half_hidden, few).holders("yellow").flatten().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cube", "'cube' names no colour; a thing is named by one colour, as in red or red_cube; seen are blue, red"),
        ("red_or_blue", "'red_or_blue' names 2 colours"),
        ("coloured", "'coloured' names no colour;"),
        ("", "'' names no colour"),
        ("x" * 5000, f"'{'x' * 40}' names no colour"),
        ("yellow", "nothing yellow is in the picture; seen are blue, red"),
        ("red", "no token holds what is red: the best one takes 30 % of it"),
    ],
)
def test_a_name_of_nothing_is_answered_by_what_is_seen(name: str, said: str) -> None:
    little = shares(9, (0, 0, RIGHT))
    little[:, 0, 1:3, 1:3] = torch.tensor([0.3] * 2 + [0.4 / 7] * 7)[:, None, None]
    with pytest.raises(GoalError, match=f"^{said}"):
        token_colours(picture({LEFT: RED, RIGHT: BLUE}), little).holders(name)


def test_of_a_grey_picture_no_thing_is_named() -> None:
    seen = token_colours(picture({}), shares(2, (0, 0, LEFT)))
    assert seen.seen == () and seen.label(0) == ""
    with pytest.raises(GoalError, match="nothing red is in the picture; no coloured thing is seen"):
        seen.holders("red")


@settings(max_examples=30)
@given(st.floats(0, 0.999), st.floats(0.5, 1), st.floats(0.3, 1))
def test_every_vivid_colour_has_one_name(hue: float, saturation: float, value: float) -> None:
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value))
    seen: TokenColours = token_colours(picture({LEFT: colour}), shares(2, (0, 0, LEFT)))
    assert len(seen.seen) == 1 and seen.seen[0] in COLOURS and seen.label(0) == seen.seen[0]


def test_the_slot_encoder_says_where_each_token_looks() -> None:
    torch.manual_seed(0)
    encoder = SlotEncoder(SIDE, SIDE, 2, 3, 8).eval()
    assert isinstance(encoder, LocatingEncoder)
    found = encoder.attention(torch.from_numpy(picture({LEFT: RED}, {TOP: BLUE}))[None, None])
    assert found.shape == (1, 3, 2, SIDE // 2, SIDE // 2)
    torch.testing.assert_close(found.sum(1), torch.ones(1, 2, SIDE // 2, SIDE // 2))
