"""Keeps a loop at a constant rate and reports how well the rate was kept.

Deadlines are absolute: each is the one before it plus the period, so that a late tick does not delay the ticks after
it. Deadlines that pass during a tick that overruns are skipped and counted, never run in a burst.
"""

from __future__ import annotations

import time
from dataclasses import dataclass


class Gap:
    """Finds out how long a loop stood still: between two calls of `since_last`, or while the machine was suspended,
    which its monotonic clock does not count."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._asleep_ns = 0
        self.begin()

    def begin(self) -> None:
        """Count from now on."""
        self._last_ns, self._asleep_ns = time.monotonic_ns(), _asleep_ns()

    def since_last(self) -> int:
        """Return the ns since the last call or `begin`, the time of a suspension included."""
        last_ns, asleep_ns = self._last_ns, self._asleep_ns
        self.begin()
        return self._last_ns - last_ns + max(0, self._asleep_ns - asleep_ns)


def _asleep_ns() -> int:
    """Return the ns for which the machine has been suspended since it started; 0 where the system does not say."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if clock is None else time.clock_gettime_ns(clock) - time.monotonic_ns()


@dataclass(frozen=True)
class PaceReport:
    """How a loop kept its deadlines: the number of `ticks`, the number of deadlines `skipped`, the share of all
    deadlines met within one period (`on_time`), and lateness quantiles over the ticks, in seconds."""

    ticks: int
    skipped: int
    on_time: float
    p50_s: float
    p99_s: float
    p999_s: float
    worst_s: float

    def __str__(self) -> str:
        return (
            f"{self.ticks} ticks, {100 * self.on_time:.3f} % on time, lateness p50 {1e3 * self.p50_s:.3f} ms, "
            f"p99 {1e3 * self.p99_s:.3f} ms, p99.9 {1e3 * self.p999_s:.3f} ms, worst {1e3 * self.worst_s:.1f} ms, "
            f"{self.skipped} deadlines skipped"
        )


class Pacer:
    """Wakes a loop every `period_s` seconds and records, in bounded memory, how late it woke.

    It sleeps and does not spin: at worldarm's rates the 50 µs that Linux adds to a sleep are 1 % of a period, and a
    spinning loop would take processor time from other processes.
    """

    def __init__(self, period_s: float) -> None:
        self._period_ns = round(period_s * 1e9)
        self._deadline_ns = time.monotonic_ns()
        self._lateness = LatenessHistogram()
        self._on_time = 0
        self._skipped = 0

    @property
    def next_ns(self) -> int:
        """The deadline that the next `wait` sleeps until, by `time.monotonic_ns`."""
        return self._deadline_ns + self._period_ns

    def wait(self) -> None:
        """Sleep until the next deadline; return at once when it has passed."""
        self._deadline_ns += self._period_ns
        while (remaining_ns := self._deadline_ns - time.monotonic_ns()) > 0:
            time.sleep(remaining_ns * 1e-9)
        late_ns = -remaining_ns
        self._lateness.add(late_ns)
        missed = late_ns // self._period_ns
        if missed:
            self._skipped += missed
            self._deadline_ns += missed * self._period_ns
        else:
            self._on_time += 1

    def report(self) -> PaceReport:
        """Return the figures over all ticks so far; before the first tick all are 0 and `on_time` is 1."""
        ticks = self._lateness.count
        return PaceReport(
            ticks=ticks,
            skipped=self._skipped,
            on_time=self._on_time / (self._on_time + self._skipped) if ticks else 1.0,
            p50_s=self._lateness.quantile(0.50) * 1e-9,
            p99_s=self._lateness.quantile(0.99) * 1e-9,
            p999_s=self._lateness.quantile(0.999) * 1e-9,
            worst_s=self._lateness.worst * 1e-9,
        )


class LatenessHistogram:
    """Counts of non-negative integers in bins an eighth of an octave wide: it gives quantiles within 12.5 % from a few
    hundred numbers, independent of how long the loop runs."""

    def __init__(self) -> None:
        self._counts = [0] * (_bin(2**63) + 1)
        self.count = 0
        self.worst = 0

    def add(self, value: int) -> None:
        """Count one value, 0 ≤ `value` < 2⁶³."""
        self._counts[_bin(value)] += 1
        self.count += 1
        if value > self.worst:
            self.worst = value

    def quantile(self, share: float) -> float:
        """Return a bound that at least `share` of the values do not exceed; 0 when there are none."""
        wanted = share * self.count
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return float(min(_upper_edge(index), self.worst))
        return 0.0


def _bin(value: int) -> int:
    """Return the index of the bin of `value`: exact below 8, then three bits after the leading one."""
    shift = max(value.bit_length() - 4, 0)
    return 8 * shift + (value >> shift)


def _upper_edge(index: int) -> int:
    """Return the largest value whose bin is `index`."""
    if index < 16:
        return index
    shift = index // 8 - 1
    return ((index - 8 * shift + 1) << shift) - 1
