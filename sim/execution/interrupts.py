"""Puts a Ctrl-C off for a moment, for what must not be cut in two."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PUT_OFF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts_put_off() -> Iterator[None]:
    """A context at whose end, and not within, the signals take effect that ask a process to end. Main thread only."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    # Handlers, not a mask: any other thread would take a signal that only this one has masked.
    before = {number: signal.signal(number, note) for number in PUT_OFF}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)
