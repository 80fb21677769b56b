"""Putting the things of a scene somewhere new while a recording waits: by a simulation, or by a person."""

from __future__ import annotations

import threading
from collections.abc import Callable

from robot.errors import ConfigurationError, WorldarmError


class SceneReset:
    """Calls `rearrange` in a thread of its own, and has `tell` hear what it said; without it, a person is asked."""

    def __init__(self, rearrange: Callable[[], str] | None, tell: Callable[[str], None]) -> None:
        self._rearrange, self._tell = rearrange, tell
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether things are being moved now."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self) -> None:
        """Begin to move things, or ask the person to. Raises `ConfigurationError` while that is under way."""
        if self.running:
            raise ConfigurationError("the scene is being reset")
        if self._rearrange is None:
            self._tell("put the things somewhere new, then start")
            return
        self._tell("arranging the scene anew")
        self._thread = threading.Thread(target=self._work, args=(self._rearrange,), name="reset", daemon=True)
        self._thread.start()

    def _work(self, rearrange: Callable[[], str]) -> None:
        try:
            self._tell(rearrange())
        except WorldarmError as error:
            self._tell(f"the scene was not reset: {error}")
