"""Time limits for calls that may block."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of `call` or raise its exception; raise `TimeoutError` when it takes longer than `seconds`.

    After a timeout the call continues in its own thread, and its result is discarded. The call must release the
    interpreter's lock while it blocks.
    """
    outcome: queue.SimpleQueue[tuple[T, None] | tuple[None, Exception]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except Exception as error:  # noqa: BLE001 - raised again in the waiting thread
            outcome.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is None:
        return result  # type: ignore[return-value] # a T when there is no error
    try:
        raise error
    finally:
        # Otherwise the error and this frame refer to each other, and resources that the callers opened would stay open.
        del error
