"""Work that a process of its own does meanwhile, one item after another, with what the other processes leave of the
processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Generic

from robot.errors import ConnectionLost
from sim.execution.worker import Answer, Item, Result, Worker

NICENESS = 19
"""The least urgent of all."""


class Background(Generic[Item, Result]):
    """A context in which a process applies `function` to the items that `submit` is given. It starts with the first
    one and is killed at the end."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self._worker: Worker[Item, Result] | None = None
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._items: SimpleQueue[Item | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer[Result]] = SimpleQueue()
        self._due = 0

    def __enter__(self) -> Background[Item, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is None:
            return
        self._worker.kill()
        self._items.put(None)
        self._thread.join()
        self._worker.end()

    def submit(self, item: Item) -> None:
        """Let the process work on `item` after those before; return at once."""
        if self._worker is None:
            self._worker = Worker(self._function, NICENESS)
            self._thread.start()
        self._items.put(item)
        self._due += 1

    def results(self) -> Iterator[Result]:
        """Wait for the result of each item that was submitted, and yield them in order. Raises what the function
        raised, and `ConnectionLost` when the process was killed."""
        while self._due:
            answer = self._answers.get()
            self._due -= 1
            if answer.error is not None:
                raise answer.error
            yield answer.result  # type: ignore[misc]  # without an error there is a result

    def _pass_on(self) -> None:
        """Give the process one item after another, and keep its answers; runs in a thread."""
        worker = self._worker
        assert worker is not None, "submit() started it first"
        while (item := self._items.get()) is not None:
            try:
                worker.give(0, item)
                answer = worker.answer()[1]
            except (EOFError, OSError):
                lost = ConnectionLost("the process that works in the background was killed; repeat the command")
                answer = Answer(None, lost)
            self._answers.put(answer)
