"""A process that applies a function to one item after another.

It has a pipe of its own. A process that is killed while it sends an answer then leaves half a message in its own pipe
only. The queue that an executor's processes share would stay locked for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from sim.execution.lifeline import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """The function's result, or the exception that it raised."""

    result: Result | None
    error: Exception | None


class Worker(Generic[Item, Result]):
    """A process that applies `function` to one item at a time, and yields the processor to others as `niceness` says: 0
    to 19, as in `os.nice`."""

    def __init__(self, function: Callable[[Item], Result], niceness: int = 0) -> None:
        # Spawned, not forked: a fork would inherit the threads of torch and OpenCV in an undefined state.
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self.busy = False
        self._process = context.Process(target=_work, args=(function, far_end, os.getpid(), niceness))
        try:
            with _interrupts_held():
                self._process.start()
        finally:
            far_end.close()  # otherwise the process's death would not be detected here

    def give(self, number: int, item: Item) -> None:
        """Send `item` to the process, to be answered under `number`. Raises `OSError` when the process has died."""
        self.pipe.send((number, item))
        self.busy = True

    def answer(self) -> tuple[int, Answer[Result]]:
        """Wait for the answer, and return it with its number. Raises `EOFError` or `OSError` when the process has
        died."""
        number, answer = self.pipe.recv()
        self.busy = False
        return number, answer

    def kill(self) -> None:
        """Kill the process: its present result is not needed."""
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """Kill the process, and close the pipe."""
        self.kill()
        self.pipe.close()


def _work(function: Callable[[Item], Result], pipe: Connection, parent: int, niceness: int) -> None:
    """Answer items until the other end is closed; runs in a worker process."""
    end_with_parent(parent, signal.SIGKILL)
    os.nice(niceness)
    while True:
        try:
            number, item = pipe.recv()
        except EOFError:
            return
        answer: Answer[Result]
        try:
            answer = Answer(function(item), None)
        except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
            answer = Answer(None, error)
        pipe.send((number, answer))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block SIGINT here during the context, and permanently in the process started within it, which inherits the mask:
    a Ctrl-C in the terminal is for the process that waits for it."""
    # Started here because it unblocks SIGINT when it starts, which otherwise happens with the first process.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
