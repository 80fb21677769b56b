from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.evaluation.wilson import wilson


@pytest.mark.parametrize(
    ("successes", "trials", "lower", "upper"),
    [
        # Newcombe 1998, table I, method 3, to his four decimals.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (95, 100, 0.8882, 0.9785),
    ],
)
def test_known_values(successes: int, trials: int, lower: float, upper: float) -> None:
    assert wilson(successes, trials) == pytest.approx((lower, upper), abs=6e-5)


@given(st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_it_holds_the_share_and_stays_a_share(counts: tuple[int, int]) -> None:
    successes, trials = counts
    lower, upper = wilson(successes, trials)
    assert 0.0 <= lower <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= upper <= 1.0
    assert lower < upper
    mirrored = wilson(trials - successes, trials)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((lower, upper), abs=1e-12)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(2, 20))
def test_more_trials_of_the_same_share_make_it_narrower(counts: tuple[int, int], times: int) -> None:
    successes, trials = counts
    few, many = wilson(successes, trials), wilson(times * successes, times * trials)
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (1, 0), (-1, 3), (4, 3), (0, -1)])
def test_what_is_no_share_is_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="are not a share"):
        wilson(successes, trials)
