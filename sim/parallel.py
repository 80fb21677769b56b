"""Maps a function over work items in several processes, in order, so that the outcome does not depend on how many."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order, computed by `processes` processes.

    With one process everything runs here. An exception of the function ends the iteration with it.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    work = iter(items)
    # Spawned, not forked: a fork would inherit threads of torch and OpenCV in whatever state they are.
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
    try:
        pending: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(work, 2 * processes))
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(work, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
