"""Draws the batches of the next steps while the present one is computed elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

Batch = dict[str, Tensor]


def drawn_ahead(batches: Callable[[int], Batch], steps: range, threads: int) -> Generator[Batch, None, None]:
    """Yield `batches(step)` for every one of `steps` in turn, drawn by so many `threads` at most twice as many steps
    early; with none, each when it is asked for. Close it to leave early. Raises what `batches` raises, at its step."""
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
