"""Maps a function over work items in several processes, in order, so that the outcome does not depend on how many."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from robot.errors import ConnectionLost
from sim.lifeline import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order, computed by `processes` processes.

    With one process everything runs here. An exception of the function ends the iteration with it. However the
    iteration ends, by Ctrl-C and SIGKILL too, the processes end with it. Raises `ConnectionLost` when one of them dies.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    work = iter(items)
    others = set(multiprocessing.active_children())
    # Spawned, not forked: a fork would inherit threads of torch and OpenCV in whatever state they are.
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=end_with_parent,
        initargs=(os.getpid(), signal.SIGKILL),
    )
    try:
        with _interrupts_held():
            pending: deque[Future[Result]] = deque(pool.submit(function, item) for item in islice(work, 2 * processes))
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(function, item) for item in islice(work, 1))
    except BaseException as error:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()  # nobody wants what they are working at
        if isinstance(error, BrokenProcessPool):
            raise ConnectionLost(
                f"one of the {processes} processes was ended from outside, as when memory runs out; what is finished "
                "is kept: give the command again to go on, perhaps with fewer processes"
            ) from error
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back SIGINT here for a moment, and for ever in the processes started meanwhile, which inherit that: a Ctrl-C
    in the terminal is for the one that waits for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
