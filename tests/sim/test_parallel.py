from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot.errors import Refused
from sim.parallel import map_ordered


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
