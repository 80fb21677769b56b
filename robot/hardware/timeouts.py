"""A call that may block, made to end in time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises; `TimeoutError` when it has not ended in time.

    It then goes on in a thread of its own, and what comes of it is let go of. It must release the interpreter's lock
    while it blocks.
    """
    outcome: queue.SimpleQueue[tuple[T, None] | tuple[None, Exception]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is None:
        return result  # type: ignore[return-value] # it is a T where there is no error
    try:
        raise error
    finally:
        # Else the error holds this frame, which holds the error: whatever its callers had open would stay open.
        del error
