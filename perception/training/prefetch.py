"""Draws the batches of the next steps while the GPU computes the present one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

Batch = dict[str, Tensor]


def drawn_ahead(batches: Callable[[int], Batch], steps: range, threads: int) -> Generator[Batch, None, None]:
    """Yield `batches(step)` for each of `steps` in order. They are drawn ahead by `threads` threads, two steps by
    each; with 0 threads each is drawn when it is asked for. Close the generator to leave early. An error in `batches`
    is raised at its step."""
    if threads == 0:
        yield from map(batches, steps)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
    waiting: deque[Future[Batch]] = deque()
    try:
        for step in steps:
            waiting.append(pool.submit(batches, step))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
