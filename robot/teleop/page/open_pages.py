"""The pages that are open in browsers, which of them drives, and the controls that are held there.

This module does not depend on browsers: the server of the pages reports their events, from any thread, and the session
reads the result once a turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from robot.arm.rotations import Quaternion
from robot.errors import ConfigurationError
from robot.teleop.input import Press

SILENT_S = 0.7
"""A page that has not answered for this long counts as gone: closed, asleep or disconnected."""
SILENT_RANGE_S = (0.3, 5.0)
HELD_NS = 250_000_000
"""A button or key counts as held for this long after each report."""
AXES = 5
_FAR_M = 10.0

Place = tuple[tuple[float, float, float], Quaternion]
"""Pose of a handle: position, m, and orientation (x, y, z, w) relative to the grab."""


@dataclass
class _Page:
    heard_ns: int
    handle: Place | None = None
    held: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """What is held at the page that drives: the pose of its `handle`, None while nobody drags it; the number of the
    `grab`; and for each axis (x, y, z, yaw, gripper) a direction −1, 0 or 1. `away` says why nobody is there; `presses`
    are those at any page since the last call."""

    away: str
    handle: Place | None
    grab: int
    ways: tuple[int, ...]
    presses: tuple[Press, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is held."""
        return self.handle is None and not any(self.ways)


class Pages:
    """Tracks the open pages and what is held on them. Safe to use from several threads.

    A page that is opened while no other drives becomes the driving page. Any other page has to ask, and drives once no
    page does. A page that has not answered for `silent_s` seconds no longer drives. Raises `ConfigurationError` when
    `silent_s` is outside 0.3 to 5 s.
    """

    def __init__(self, silent_s: float = SILENT_S) -> None:
        lowest, highest = SILENT_RANGE_S
        if not lowest <= silent_s <= highest:
            raise ConfigurationError(f"--silent-s must be from {lowest:g} to {highest:g}, not {silent_s:g}")
        self.silent_s = silent_s
        self._silent_ns = round(silent_s * 1e9)
        self._lock = threading.Lock()
        self._pages: dict[int, _Page] = {}
        self._driver: int | None = None
        self._grab = 0
        self._presses: list[Press] = []
        self._resting = ""

    def opened(self, page: int, now_ns: int) -> bool:
        """Add a new page; return whether it drives."""
        with self._lock:
            self._pages[page] = _Page(now_ns)
            if self._driver is None:
                self._driver = page
            return self._driver == page

    def closed(self, page: int) -> None:
        """Remove a page and what was held there."""
        with self._lock:
            self._pages.pop(page, None)
            if self._driver == page:
                self._driver = None

    def heard(self, page: int, now_ns: int) -> None:
        """Note that a page has just answered."""
        with self._lock:
            if page in self._pages:
                self._pages[page].heard_ns = now_ns

    def drive(self, page: int, now_ns: int) -> str:
        """Let `page` drive unless another open page does; return why it may not, empty when it drives."""
        with self._lock:
            if page not in self._pages:
                return "this page was closed"
            other = self._pages.get(self._driver) if self._driver is not None and self._driver != page else None
            if other is not None and now_ns - other.heard_ns <= self._silent_ns:
                return f"page {self._driver} drives: let go of the arm there first"
            if other is not None:
                other.handle, other.held = None, {}
            self._driver = page
            return ""

    def leave(self, page: int) -> None:
        """End the driving of `page`, if it drives."""
        with self._lock:
            if self._driver == page:
                self._driver = None
                self._pages[page].handle, self._pages[page].held = None, {}

    @contextmanager
    def rest(self, page: int, why: str) -> Iterator[None]:
        """A context in which nobody moves the arm, for the reason `why`; afterwards `page` drives again.

        Raises `ConfigurationError` when another page drives, or when such a context is open already.
        """
        with self._lock:
            if self._driver is not None and self._driver != page:
                raise ConfigurationError(f"page {self._driver} drives: ask there, or let go of the arm there first")
            if self._resting:
                raise ConfigurationError(f"{self._resting}: wait a moment")
            self._resting = why
            for each in self._pages.values():
                each.handle, each.held = None, {}
        try:
            yield
        finally:
            with self._lock:
                self._resting = ""

    def grab(self, page: int, place: Place) -> None:
        """Note that the handle was grabbed at the page, at `place`."""
        with self._lock:
            if self._drives(page) and _sane(place):
                self._grab += 1
                self._pages[page].handle = place

    def drag(self, page: int, place: Place) -> None:
        """Note that the grabbed handle is at `place` now."""
        with self._lock:
            if self._drives(page) and self._pages[page].handle is not None and _sane(place):
                self._pages[page].handle = place

    def drop(self, page: int) -> None:
        """Note that the handle was let go."""
        with self._lock:
            if page in self._pages:
                self._pages[page].handle = None

    def hold(self, page: int, axis: int, way: int, now_ns: int) -> None:
        """Note that a button or key is down that moves `axis` in the direction `way`, −1 or 1."""
        with self._lock:
            if self._drives(page):
                self._pages[page].held[axis] = (way, now_ns)

    def press(self, page: int, press: Press) -> None:
        """Note a press: a stop counts from any page, everything else only from the page that drives."""
        with self._lock:
            if press is Press.STOP or self._drives(page):
                self._presses.append(press)

    @property
    def driver(self) -> int | None:
        """The page that drives, None while nobody does."""
        with self._lock:
            return self._driver

    def dragged(self, page: int) -> bool:
        """Return whether somebody drags the handle of a page."""
        with self._lock:
            return page in self._pages and self._pages[page].handle is not None

    def held(self, now_ns: int) -> Held:
        """Return what is held at `now_ns`, with the presses since the last call."""
        with self._lock:
            presses, self._presses = tuple(self._presses), []
            page = self._pages.get(self._driver) if self._driver is not None else None
            if self._resting:
                return Held(self._resting, None, self._grab, (0,) * AXES, presses)
            if page is None:
                return Held(self._nobody(), None, self._grab, (0,) * AXES, presses)
            if now_ns - page.heard_ns > self._silent_ns:
                return Held(f"page {self._driver} does not answer", None, self._grab, (0,) * AXES, presses)
            page.held = {axis: each for axis, each in page.held.items() if now_ns - each[1] < HELD_NS}
            ways = [0] * AXES
            for axis, (way, _) in page.held.items():
                ways[axis] = way
            return Held("", page.handle, self._grab, tuple(ways), presses)

    def is_idle(self, now_ns: int) -> bool:
        """Return whether nothing is held at the page that drives.

        A page that has not answered for as long as a button counts as held may still hold one, and is not idle.
        """
        with self._lock:
            page = self._pages.get(self._driver) if self._driver is not None else None
            if page is None:
                return True
            heard = now_ns - page.heard_ns < HELD_NS
            return heard and page.handle is None and all(now_ns - each[1] >= HELD_NS for each in page.held.values())

    def _nobody(self) -> str:
        return "nobody drives; press Drive on a page" if self._pages else "no page is open"

    def _drives(self, page: int) -> bool:
        return page == self._driver and page in self._pages and not self._resting


def _sane(place: Place) -> bool:
    """Return whether a page's `place` is valid: a browser can send anything."""
    position, orientation = place
    numbers = np.array((*position, *orientation))
    return bool(np.isfinite(numbers).all() and np.abs(numbers).max() < _FAR_M and np.linalg.norm(orientation) > 0.5)
