"""The offset between two clocks is found to within what the delays leave open, whatever they are."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot.client.client import Client
from robot.wire.clock_offset import WINDOW_NS, ClockOffset, SameClock
from tests.robot.driver.checks import away, move, now
from tests.robot.driver.command import DriverProcess, until

AHEAD_NS = 5_000_000_000_000
delays = st.lists(st.tuples(st.integers(1_000, 50_000_000), st.integers(1_000, 50_000_000)), min_size=1, max_size=40)


@given(offset=st.integers(-(10**15), 10**15), delays=delays)
def test_exchanges_bound_the_offset(offset: int, delays: list[tuple[int, int]]) -> None:
    clock, now_ns = ClockOffset(), 10**15
    for there, back in delays:
        clock.exchange(now_ns, now_ns + there + offset, now_ns + there + back)
        now_ns += 100_000_000
    assert clock.uncertainty_ns is not None
    assert abs(clock.ns - offset) <= clock.uncertainty_ns + 1
    assert clock.uncertainty_ns <= min(there + back for there, back in delays) // 2


@given(offset=st.integers(-(10**15), 10**15), delays=st.lists(st.integers(0, 50_000_000), min_size=1, max_size=600))
def test_what_comes_one_way_tells_the_offset_but_for_the_least_delay(offset: int, delays: list[int]) -> None:
    clock, now_ns = ClockOffset(), 10**15
    for delay in delays:
        clock.heard(now_ns + offset, now_ns + delay)
        now_ns += 4_000_000
    assert clock.ns == offset - min(delays)


def test_an_old_exchange_counts_no_longer() -> None:
    clock = ClockOffset()
    clock.exchange(0, 1_000 + 77, 2_000)
    clock.exchange(WINDOW_NS + 10_000, WINDOW_NS + 10_000 + 500_000 + 99, WINDOW_NS + 1_010_000)
    assert clock.ns == 99
    same = SameClock()
    same.exchange(0, 10**12, 5)
    same.heard(10**12, 5)
    assert (same.ns, same.uncertainty_ns) == (0, 0)


def test_a_driver_whose_clock_is_hours_ahead_is_driven_on_this_hosts_clock(tmp_path: Path) -> None:
    with (
        DriverProcess(tmp_path, ahead_ns=AHEAD_NS) as process,
        Client(process.command, 5.0, ClockOffset()) as client,
    ):
        assert abs(client.clock.ns - AHEAD_NS) < 50_000_000
        state = now(client)
        assert abs(state.time_ns - time.monotonic_ns()) < 2_000_000_000
        lease = client.acquire("me", 5.0)
        assert 0 < lease.expires_ns - time.monotonic_ns() < 6_000_000_000
        move(client, away(6, 0.2, 0.6))
        until(lambda: abs(now(client).measured[6] - state.measured[6]) > 0.15)
        assert abs(now(client).active_until_ns - time.monotonic_ns()) < 20_000_000_000
        near = client.state_near(time.monotonic_ns() - 100_000_000, 5.0)
        assert np.isfinite(near.measured).all()
