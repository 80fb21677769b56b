from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot.errors import ConnectionLost, Refused
from sim.execution.parallel import map_ordered


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_results_come_in_the_order_of_the_items(processes: int) -> None:
    items = [float(n * n) for n in range(30)]
    assert list(map_ordered(math.sqrt, items, processes)) == [float(n) for n in range(30)]
    assert list(map_ordered(math.sqrt, [], processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failure_ends_it_with_its_own_error_after_what_came_before(processes: int) -> None:
    results = map_ordered(math.sqrt, [4.0, 9.0, -1.0, 16.0], processes)
    assert [next(results), next(results)] == [2.0, 3.0]
    with pytest.raises(ValueError, match="math domain error"):
        next(results)


def refuse(item: int) -> int:
    raise Refused("too-fast", f"waypoint {item}")


def test_a_refusal_comes_back_from_another_process_whole() -> None:
    with pytest.raises(Refused, match=r"\(too-fast\): waypoint 3") as caught:
        next(map_ordered(refuse, [3], 2))
    assert (caught.value.reason, caught.value.detail) == ("too-fast", "waypoint 3")


def test_several_processes_do_the_work_and_not_this_one() -> None:
    (elsewhere,) = set(map_ordered(os.path.realpath, ["/proc/self"], 2))
    assert elsewhere != os.path.realpath("/proc/self")
    assert Path(elsewhere).parent == Path("/proc")


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_ordered(abs, items(), 2)
    assert next(results) == 0
    assert len(taken) < 10
    results.close()  # type: ignore[attr-defined]


def end_yourself(item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def test_a_process_that_is_ended_from_outside_is_told_with_what_to_do() -> None:
    with pytest.raises(ConnectionLost, match=r"one of the 2 processes was killed.* repeat the command"):
        list(map_ordered(end_yourself, range(3), 2))


def bulk(size: int) -> bytes:
    """An answer that does not fit into a pipe, so that giving it takes as long as nobody takes it."""
    return bytes(size)


def test_giving_up_does_not_wait_for_an_answer_that_is_half_given() -> None:
    for _ in range(3):
        results = map_ordered(bulk, [10_000_000] * 8, 2)
        assert len(next(results)) == 10_000_000
        time.sleep(0.3)
        began = time.monotonic()
        results.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 10.0
        assert multiprocessing.active_children() == []


def test_a_process_that_is_ended_in_the_middle_of_its_answer_is_told() -> None:
    results = map_ordered(bulk, [10_000_000] * 8, 2)
    next(results)
    time.sleep(0.5)
    for process in multiprocessing.active_children():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ConnectionLost, match="was killed"):
        list(results)


def test_a_process_that_is_ended_while_it_waits_for_work_is_told() -> None:
    results = map_ordered(abs, range(100), 2)
    next(results)
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    with pytest.raises(ConnectionLost, match="was killed"):
        list(results)


def test_giving_up_does_not_wait_for_what_is_in_work() -> None:
    results = map_ordered(time.sleep, [0.0, *[600.0] * 8], 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []
