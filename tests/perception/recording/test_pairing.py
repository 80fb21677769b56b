from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.recording.pairing import first_row, newest_by, period_of

PERIOD = 33_333_333


@dataclass(frozen=True)
class Seen:
    time_ns: int


@given(st.lists(st.integers(0, 1000), unique=True), st.integers(-10, 1010))
def test_what_belongs_to_a_moment_is_the_newest_by_then_however_it_came(times: list[int], moment: int) -> None:
    in_order = [Seen(time) for time in sorted(times)]
    found = newest_by(in_order, moment)
    wanted = [time for time in times if time <= moment]
    assert (found.time_ns if found else None) == (max(wanted) if wanted else None)


def test_a_period_is_the_usual_one_whatever_was_lost() -> None:
    times = [PERIOD * number for number in (0, 1, 2, 5, 6, 7)]
    assert period_of(times) == PERIOD
    assert period_of(times[:2]) is None


@given(
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=3),
    st.integers(10**15, 10**15 + PERIOD),
    st.randoms(),
)
def test_rows_keep_away_from_the_moments_at_which_cameras_look(phases: list[float], now_ns: int, rng) -> None:  # type: ignore[no-untyped-def]
    cameras = [
        [
            round((number + phase) * PERIOD + rng.uniform(-2e5, 2e5))
            for number in range(now_ns // PERIOD - 10, now_ns // PERIOD)
        ]
        for phase in phases
    ]
    begins_ns = first_row(now_ns, PERIOD, cameras)
    assert now_ns <= begins_ns <= now_ns + PERIOD
    off = [abs((begins_ns / PERIOD - phase + 0.5) % 1.0 - 0.5) for phase in phases]
    # Of n moments in a period, two are at least 1/n apart, and the row is in the midst of them.
    assert min(off) > 0.5 / len(phases) - 0.05


@pytest.mark.parametrize("period", [PERIOD // 2, 2 * PERIOD])
def test_a_camera_of_another_pace_has_no_place_to_keep_away_from(period: int) -> None:
    times = (np.arange(10) * period).tolist()
    assert first_row(12345, PERIOD, [times]) == 12345
