"""Maps a function over work items in several processes, in order, so that the outcome does not depend on how many.

Each process has a pipe of its own. One that is ended in the middle of an answer then leaves half a message that nobody
else waits behind, where the queue that an executor's processes share would stay locked for ever.
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
"""Items in work or waiting for an earlier one, a process."""

_NO_MORE = object()


def map_ordered(function: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in the items' order, computed by `processes` processes.

    With one process everything runs here. An exception of the function ends the iteration with it. However the
    iteration ends, by Ctrl-C and SIGKILL too, the processes end with it. Raises `ConnectionLost` when one of them dies.
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
    """What the function returned, or else what it raised."""

    result: Result | None
    error: Exception | None


class _Worker(Generic[Item, Result]):
    """A process that applies `function` to one item at a time."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        # Spawned, not forked: a fork would inherit threads of torch and OpenCV in whatever state they are.
        context = multiprocessing.get_context("spawn")
        self.pipe, far_end = context.Pipe()
        self.busy = False
        self._process = context.Process(target=_work, args=(function, far_end, os.getpid()))
        try:
            self._process.start()
        finally:
            far_end.close()  # or its death would not be seen at this end

    def give(self, number: int, item: Item) -> None:
        """Have it work at `item`, to be answered as `number`. Raises `OSError` when the process died."""
        self.pipe.send((number, item))
        self.busy = True

    def answer(self) -> tuple[int, _Answer[Result]]:
        """Wait for the answer, and return it with its number. Raises `EOFError` or `OSError` when the process died."""
        number, answer = self.pipe.recv()
        self.busy = False
        return number, answer

    def end(self) -> None:
        """End it at once: nobody wants what it is working at."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _answers(busy: list[_Worker[Item, Result]], processes: int) -> Iterator[tuple[int, _Answer[Result]]]:
    """Wait for an answer of any of the workers, and yield all there are. Raises `ConnectionLost`."""
    ready = wait([worker.pipe for worker in busy])
    for worker in busy:
        if worker.pipe in ready:
            with _death_told(processes):
                answered = worker.answer()
            yield answered


@contextmanager
def _death_told(processes: int) -> Iterator[None]:
    """Raise `ConnectionLost` for what a pipe raises whose other end is gone."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise ConnectionLost(
            f"one of the {processes} processes was ended from outside, as when memory runs out; what is finished is "
            "kept: give the command again to go on, perhaps with fewer processes"
        ) from error


def _work(function: Callable[[Item], Result], pipe: Connection, parent: int) -> None:
    """Answer item after item until the other end is closed; runs in a process of its own."""
    end_with_parent(parent, signal.SIGKILL)
    while True:
        try:
            number, item = pipe.recv()
        except EOFError:
            return
        answer: _Answer[Result]
        try:
            answer = _Answer(function(item), None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again where the result is awaited
            answer = _Answer(None, error)
        pipe.send((number, answer))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back SIGINT here for a moment, and for ever in the processes started meanwhile, which inherit that: a Ctrl-C
    in the terminal is for the one that waits for them."""
    resource_tracker.ensure_running()  # it unblocks SIGINT when it starts, which the first process would have it do
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
