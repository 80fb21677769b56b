"""Calls a session's observers, each from a thread of its own, so that none delays the arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from control.runtime.step import Outcome, Step, StepObserver
from perception.camera.interface import Image


class Observers:
    """A context for one episode. Leaving it calls `on_episode_end` of every observer and waits for all."""

    def __init__(self, observers: Sequence[StepObserver]) -> None:
        self._watchers = [_Watcher(observer) for observer in observers]
        self._outcome: Outcome | None = None

    def start(self, goals: Sequence[Image]) -> None:
        """Report that the episode begins."""
        for watcher in self._watchers:
            watcher.call(watcher.observer.on_episode_start, goals)

    def step(self, step: Step) -> None:
        """Report a step. Raises any exception that an observer has raised before."""
        for watcher in self._watchers:
            watcher.raise_failure()
            watcher.call(watcher.observer.on_step, step)

    def end(self, outcome: Outcome) -> None:
        """Record how the episode ended."""
        self._outcome = outcome

    def __enter__(self) -> Observers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watcher in self._watchers:
            watcher.call(watcher.observer.on_episode_end, self._outcome)
        for watcher in self._watchers:
            watcher.wait()
        if error is None:  # otherwise `error` ended the run and is raised
            for watcher in self._watchers:
                watcher.raise_failure()


class _Watcher:
    """One observer and its thread. After a failure the observer is not called again."""

    def __init__(self, observer: StepObserver) -> None:
        self.observer = observer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=type(observer).__name__)
        self._waiting: list[Future[None]] = []
        self._failure: BaseException | None = None

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Call `function` with `arguments` on the observer's thread, after the calls that wait there."""
        self._waiting.append(self._thread.submit(self._guarded, function, *arguments))

    def raise_failure(self) -> None:
        """Raise the exception, if any, of the calls that have finished."""
        while self._waiting and self._waiting[0].done():
            self._waiting.pop(0).result()

    def wait(self) -> None:
        """Return when all calls have finished."""
        self._thread.shutdown()

    def _guarded(self, function: Callable[..., None], *arguments: object) -> None:
        """Call `function` in the thread, unless an earlier call failed."""
        if self._failure is not None:
            return
        try:
            function(*arguments)
        except BaseException as error:
            self._failure = error
            raise
