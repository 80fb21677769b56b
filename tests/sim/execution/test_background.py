from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time

import pytest

from robot.errors import ConnectionLost
from sim.execution.background import NICENESS, Background


def test_results_come_in_order_and_submitting_waits_for_none() -> None:
    with Background(time.sleep) as naps:
        began = time.monotonic()
        for _ in range(4):
            naps.submit(0.5)
        assert time.monotonic() - began < 1.9, "that is before they were over"
        assert list(naps.results()) == [None] * 4
    with Background(math.sqrt) as roots:
        for number in range(5):
            roots.submit(float(number**2))
        assert list(roots.results()) == [0.0, 1.0, 2.0, 3.0, 4.0]
        roots.submit(25.0)
        assert list(roots.results()) == [5.0]


def test_it_yields_the_processor_to_all_others() -> None:
    with Background(os.nice) as work:
        work.submit(0)
        assert list(work.results()) == [NICENESS]


def test_an_error_is_raised_where_the_result_is_awaited() -> None:
    with Background(math.sqrt) as roots:
        for number in (4.0, -1.0, 9.0):
            roots.submit(number)
        results = roots.results()
        assert next(results) == 2.0
        with pytest.raises(ValueError, match="math domain error"):
            next(results)
        assert list(roots.results()) == [3.0]


def test_a_process_that_is_killed_is_reported_and_not_awaited() -> None:
    with Background(time.sleep) as naps:
        naps.submit(600.0)
        (process,) = multiprocessing.active_children()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="was killed; repeat the command"):
            list(naps.results())


def test_its_end_does_not_wait_for_what_is_in_work() -> None:
    with Background(time.sleep) as naps:
        naps.submit(600.0)
        naps.submit(600.0)
    assert multiprocessing.active_children() == []
    with Background(time.sleep):
        pass
