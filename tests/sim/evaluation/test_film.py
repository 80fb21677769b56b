from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from sim.evaluation.film import HEIGHT, LARGE, TITLE, Film, Layout, Shot, enlarge

RED, GREEN, BLUE = (200, 40, 40), (40, 160, 60), (40, 60, 190)
FPS = Fraction(8)
WHITE = np.full((LARGE, LARGE, 3), 255, np.uint8)
LAYOUT = Layout(LARGE, (64, 64, 3))


def plain(colour: tuple[int, int, int], side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def decoded(path: Path) -> tuple[list[np.ndarray], Fraction]:
    """Every frame (H, W, 3) uint8 RGB, and the rate."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        assert rate is not None
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], Fraction(rate)


def panel(frame: np.ndarray, column: int, layout: Layout = LAYOUT) -> np.ndarray:
    """The inside of one of the three pictures."""
    left, (wide, high) = layout.left(column), layout.panel
    return frame[TITLE + 8 : TITLE + high - 8, left + 8 : left + wide - 8]


def assert_shows(frame: np.ndarray, column: int, colour: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(panel(frame, column).reshape(-1, 3).mean(0), colour, atol=12)


def strip(frame: np.ndarray) -> np.ndarray:
    """The plot below the panels."""
    left, top = LAYOUT.plot
    return frame[top:, left:]


def blue_pixels(frame: np.ndarray) -> int:
    """How much of the plot has the colour of the distance's curve."""
    shown = strip(frame).astype(int)
    return int(((shown[..., 2] - shown[..., 0]) > 60).sum())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "deep" / "goal-01.mp4"
    with Film(path, FPS, LAYOUT, 0.03, 40) as film:
        for block in range(12):
            imagined = None if block == 0 else plain(RED)
            film.add(Shot(WHITE, plain(GREEN), plain(BLUE), imagined), 0.20 - 0.015 * block, f"{block} blocks")
        film.repeat_last(Shot(WHITE, plain(GREEN), plain(RED), plain(BLUE)), "ends", 5)
    return path


def test_it_decodes_to_every_frame_at_the_rate_of_the_blocks(film: Path) -> None:
    frames, rate = decoded(film)
    assert len(frames) == 12 + 5 and rate == FPS
    assert {frame.shape for frame in frames} == {(*LAYOUT.size[::-1], 3)}


def test_the_panels_show_goal_camera_and_imagination(film: Path) -> None:
    frames, _ = decoded(film)
    for index in (0, 5, 11):
        assert_shows(frames[index], 0, GREEN)
        assert_shows(frames[index], 1, BLUE)
    for colour in (RED, BLUE, GREEN):
        assert np.abs(panel(frames[0], 2).reshape(-1, 3).mean(0) - colour).max() > 40, "nothing was imagined yet"
    assert_shows(frames[5], 2, RED)
    assert_shows(frames[-1], 1, RED)
    assert_shows(frames[-1], 2, BLUE)


def test_the_distance_is_drawn_as_it_comes(film: Path) -> None:
    frames, _ = decoded(film)
    assert blue_pixels(frames[11]) > blue_pixels(frames[2]) > 20
    assert abs(blue_pixels(frames[-1]) - blue_pixels(frames[11])) < 80, "what lingers adds no distance"


def test_a_film_of_a_moment_and_of_a_distance_beyond_everything_is_a_film(tmp_path: Path) -> None:
    with Film(tmp_path / "short.mp4", Fraction(15, 2), LAYOUT, 0.02, 1) as film:
        film.add(Shot(WHITE, plain(GREEN), plain(RED), None), 7.5, "")
    frames, _ = decoded(tmp_path / "short.mp4")
    assert len(frames) == 1
    assert_shows(frames[0], 1, RED)


def test_a_film_that_was_cut_off_by_an_error_still_plays(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    with pytest.raises(RuntimeError, match="mid-way"), Film(path, FPS, LAYOUT, 0.03, 40) as film:
        film.add(Shot(WHITE, plain(GREEN), plain(RED), None), 0.1, "")
        film.add(Shot(WHITE, plain(GREEN), plain(RED), None), 0.1, "")
        raise RuntimeError("mid-way")
    assert len(decoded(path)[0]) == 2


def test_an_earlier_film_stays_whole_until_the_new_one_is(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "goal-01.mp4"
    path.write_bytes(film.read_bytes())
    with Film(path, FPS, LAYOUT, 0.03, 40) as again:
        for _ in range(60):
            again.add(Shot(WHITE, plain(GREEN), plain(RED), None), 0.1, "")
        assert path.read_bytes() == film.read_bytes()
    assert len(decoded(path)[0]) == 60


@pytest.mark.parametrize("views", [1, 2, 3, 8])
@pytest.mark.parametrize("side", [32, 64, 96])
@pytest.mark.parametrize("wide", [480, 641])
def test_pictures_of_any_rig_have_room_for_themselves_their_titles_and_the_plot(
    views: int, side: int, wide: int
) -> None:
    layout = Layout(wide, (views * side, side, 3))
    lefts = [layout.left(column) for column in range(3)]
    assert lefts[0] > wide and all(after - before > layout.panel[0] for before, after in pairwise(lefts))
    assert layout.panel[0] % side == 0 and layout.panel[0] * views == layout.panel[1]
    assert layout.plot[1] + 150 < HEIGHT, "the plot has room"
    assert all(length % 2 == 0 for length in layout.size)


def test_the_pictures_of_a_rig_keep_their_shape_and_leave_room_for_the_plot(tmp_path: Path) -> None:
    both = np.concatenate([plain(GREEN), plain(BLUE)])
    layout = Layout(LARGE, both.shape)
    with Film(tmp_path / "rig.mp4", FPS, layout, 0.03, 40) as film:
        film.add(Shot(WHITE, both, both, None), 0.1, "")
    (frame,), _ = decoded(tmp_path / "rig.mp4")
    for column in (0, 1):
        shown = panel(frame, column, layout)
        half = layout.panel[1] // 2
        for part, colour in ((shown[: half - 16], GREEN), (shown[half:], BLUE)):
            np.testing.assert_allclose(part.reshape(-1, 3).mean(0), colour, atol=12)
    assert (frame[TITLE + layout.panel[1] + 4 : layout.plot[1] - 2, layout.left(0) :] > 235).all()


def test_enlarging_keeps_pixels_square_edged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    np.testing.assert_array_equal(enlarge(picture, 16), picture.repeat(4, 0).repeat(4, 1))
    np.testing.assert_array_equal(enlarge(picture[:2], 8), picture[:2].repeat(2, 0).repeat(2, 1))
