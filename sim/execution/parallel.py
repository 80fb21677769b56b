"""Maps a function over work items in several processes, in order, so that the result does not depend on their number.

Each process has its own pipe. A process that is killed while it sends an answer then leaves half a message in its own
pipe only. The queue that an executor's processes share would stay locked for ever.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar, cast

from robot.errors import ConnectionLost
from sim.execution.lifeline import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items per process that are in work or wait for an earlier result."""

_NO_MORE = object()


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order, computed by `processes` processes.

    With one process everything runs in the caller. An exception of the function is raised here and ends the iteration.
    The processes end with the iteration, also after Ctrl-C or SIGKILL. Raises `ConnectionLost` when one of them dies.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    work = iter(items)
    workers: list[_Worker[Item, Result]] = []
    answers: dict[int, _Answer[Result]] = {}
    given = due = 0
    try:
        with _interrupts_held():
            workers.extend(_Worker(function) for _ in range(processes))
        while True:
            for worker in workers:
                if not worker.busy and given - due < AHEAD * processes:
                    item = next(work, _NO_MORE)
                    if item is not _NO_MORE:
                        with _death_told(processes):
                            worker.give(given, cast(Item, item))
                        given += 1
            if due == given:
                return
            if due not in answers:
                for number, answer in _answers([worker for worker in workers if worker.busy], processes):
                    answers[number] = answer
                continue
            answer = answers.pop(due)
            due += 1
            if answer.error is not None:
                raise answer.error
            yield cast(Result, answer.result)
    finally:
        for worker in workers:
            worker.end()


@dataclass(frozen=True)
class _Answer(Generic[Result]):
    """The function's result, or the exception that it raised."""

    result: Result | None
    error: Exception | None


class _Worker(Generic[Item, Result]):
    """A process that applies `function` to one item at a time."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        # Spawned, not forked: a fork would inherit the threads of torch and OpenCV in an undefined state.
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self.busy = False
        self._process = context.Process(target=_work, args=(function, far_end, os.getpid()))
        try:
            self._process.start()
        finally:
            far_end.close()  # otherwise the process's death would not be detected here

    def give(self, number: int, item: Item) -> None:
        """Send `item` to the process, to be answered under `number`. Raises `OSError` when the process has died."""
        self.pipe.send((number, item))
        self.busy = True

    def answer(self) -> tuple[int, _Answer[Result]]:
        """Wait for the answer, and return it with its number. Raises `EOFError` or `OSError` when the process has
        died."""
        number, answer = self.pipe.recv()
        self.busy = False
        return number, answer

    def end(self) -> None:
        """Kill the process: its present result is not needed."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _answers(busy: list[_Worker[Item, Result]], processes: int) -> Iterator[tuple[int, _Answer[Result]]]:
    """Wait for an answer of any worker, and yield all available ones. Raises `ConnectionLost` when a process has
    died."""
    ready = wait([worker.pipe for worker in busy])
    for worker in busy:
        if worker.pipe in ready:
            with _death_told(processes):
                answered = worker.answer()
            yield answered


@contextmanager
def _death_told(processes: int) -> Iterator[None]:
    """A context that turns the errors of a pipe whose other end is gone into `ConnectionLost`."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise ConnectionLost(
            f"one of the {processes} processes was killed, for instance because memory ran out; finished work is "
            "kept: repeat the command to continue, perhaps with fewer processes"
        ) from error


def _work(function: Callable[[Item], Result], pipe: Connection, parent: int) -> None:
    """Answer items until the other end is closed; runs in a worker process."""
    end_with_parent(parent, signal.SIGKILL)
    while True:
        try:
            number, item = pipe.recv()
        except EOFError:
            return
        answer: _Answer[Result]
        try:
            answer = _Answer(function(item), None)
        except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
            answer = _Answer(None, error)
        pipe.send((number, answer))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block SIGINT here during the context, and permanently in the processes started within it, which inherit the mask:
    a Ctrl-C in the terminal is for the process that waits for them."""
    # Started here because it unblocks SIGINT when it starts, which otherwise happens with the first process.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
