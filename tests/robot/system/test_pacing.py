"""The pacer keeps absolute deadlines, and its figures stay true in bounded memory."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.system.pacing import Gap, LatenessHistogram, Pacer


def test_deadlines_are_absolute_so_lateness_does_not_add_up() -> None:
    pacer = Pacer(0.004)
    start = time.monotonic()
    for _ in range(100):
        time.sleep(0.001)
        pacer.wait()
    report = pacer.report()
    elapsed = time.monotonic() - start
    assert report.ticks == 100
    assert elapsed >= 0.4
    assert abs(elapsed - 0.004 * (100 + report.skipped)) < 0.004 + report.worst_s


def test_a_tick_that_runs_over_skips_deadlines_instead_of_running_in_a_burst() -> None:
    pacer = Pacer(0.01)
    pacer.wait()
    time.sleep(0.055)
    pacer.wait()
    late = time.monotonic()
    pacer.wait()
    report = pacer.report()
    assert report.ticks == 3
    assert report.skipped >= 4
    assert report.on_time <= 2 / 6
    assert report.worst_s >= 0.04
    assert time.monotonic() - late < 0.05


def test_a_report_before_the_first_tick_claims_nothing() -> None:
    report = Pacer(0.01).report()
    assert (report.ticks, report.skipped, report.worst_s, report.on_time) == (0, 0, 0.0, 1.0)


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantiles_are_within_an_eighth_above_the_true_ones(values: list[int], share: float) -> None:
    histogram = LatenessHistogram()
    for value in values:
        histogram.add(value)
    true = float(np.sort(values)[int(np.ceil(share * len(values))) - 1])
    assert true <= histogram.quantile(share) * (1 + 1e-12)
    assert histogram.quantile(share) <= 1.125 * true + 1
    assert histogram.worst == max(values)


def test_a_gap_counts_a_suspension_that_the_monotonic_clock_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic_ns, boot_ns = [5_000], [9_000]
    monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic_ns[0])
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: boot_ns[0])
    gap = Gap()
    for awake, asleep in ((400, 0), (400, 7_000), (300, 0)):
        monotonic_ns[0] += awake
        boot_ns[0] += awake + asleep
        assert gap.since_last() == awake + asleep
    monotonic_ns[0] += 10_000
    boot_ns[0] += 10_000
    gap.begin()
    assert gap.since_last() == 0
