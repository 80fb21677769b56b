"""Maps a function over work items in several processes, in order, so that the result does not depend on their
number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import cast

from robot.errors import ConnectionLost
from sim.execution.worker import Answer, Item, Result, Worker

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
    workers: list[Worker[Item, Result]] = []
    answers: dict[int, Answer[Result]] = {}
    given = due = 0
    try:
        workers.extend(Worker(function) for _ in range(processes))
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


def _answers(busy: list[Worker[Item, Result]], processes: int) -> Iterator[tuple[int, Answer[Result]]]:
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
