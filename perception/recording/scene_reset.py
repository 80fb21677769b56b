"""Resets the scene while a recording waits: a simulation moves the objects, or a person does."""

from __future__ import annotations

import threading
from collections.abc import Callable

from robot.errors import ConfigurationError, WorldarmError


class SceneReset:
    """Calls `rearrange` in its own thread and passes its message to `report`; without `rearrange`, it asks a person."""

    def __init__(self, rearrange: Callable[[], str] | None, report: Callable[[str], None]) -> None:
        self._rearrange, self._report = rearrange, report
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether a reset is in progress."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Begin a reset, or ask the person for it. Raises `ConfigurationError` while one is in progress."""
        if self.running:
            raise ConfigurationError("the scene is being reset")
        if self._rearrange is None:
            self._report("move the objects to new places, then start")
            return
        self._report("resetting the scene")
        self._thread = threading.Thread(target=self._work, args=(self._rearrange,), name="reset", daemon=True)
        self._thread.start()

    def _work(self, rearrange: Callable[[], str]) -> None:
        try:
            self._report(rearrange())
        except WorldarmError as error:
            self._report(f"the scene was not reset: {error}")
