"""A hand at the page that moves the arm: a real pointer in a real browser, which drags the handle's level plane and
clicks the page's buttons."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.errors import ConnectionLost
from robot.teleop.page.controls import HANDLE_LENGTH_M
from robot.web.viewpoint import all_on_screen, on_screen
from tests.benchmarks.teleop import hold_handle, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, HEIGHT = 1100, 600
"""A window in which a machine without a graphics card draws several times a second, and the panel hides no handle."""
ANSWER_S = 120.0
_GRIPS = 5
_TRIED_M, _TRIED_S = 0.03, 20.0
_MOVED_M, _LEVEL_M, _TURNED = 0.008, 0.006, 0.03
_RESTS = 1e-3

# How the handle is drawn, in shares of its length: arrows, the arcs of its rings, and a small square in each plane.
_ARROW, _ARC, _SQUARE, _HALF = 1.1, 0.65, 1.7 / 7, 0.1125


class PageHand:
    """Moves the arm behind `client` from `page`, which drives it; the tool stays at the height at which it is."""

    def __init__(self, page: Page, client: Client, kinematics: Kinematics) -> None:
        self._page, self._client, self._kinematics = page, client, kinematics
        self._along = np.zeros(3)
        self._holds = False

    def press(self, label: str) -> None:
        """Click a button once it can be. Raises `ConnectionLost` when it cannot be for long."""
        from playwright.sync_api import TimeoutError as TooLate

        try:
            self._page.get_by_role("button", name=label, exact=True).click(timeout=1e3 * ANSWER_S)
        except TooLate as error:
            raise ConnectionLost(f"the page's button {label!r} could not be pressed within {ANSWER_S:g} s") from error

    def says(self, words: str) -> bool:
        """Whether the page shows `words` somewhere."""
        return bool(self._page.get_by_text(words).count())

    def text(self) -> str:
        """Return all that the page says, in one line."""
        return " ".join(self._page.inner_text("body").split())

    def report(self) -> str:
        """Return what the driver and the page say, in one line."""
        state = self._client.state(5.0)
        return f"the driver is {state.mode}, driven by {state.holder or 'nobody'}; the page says: {self.text()}"

    def wait(self, words: str) -> None:
        """Wait until the page says so. Raises `ConnectionLost` when it does not for long."""
        wait_for(lambda: self.says(words), ANSWER_S, f"{words!r} on the page")

    def records(self) -> bool:
        """Whether an episode is under way."""
        return bool(self._page.get_by_text("recording", exact=True).count())

    def drives(self) -> bool:
        """Whether the page has the lease."""
        return self._client.state(5.0).holder == "teleop web"

    def tool(self) -> Vector:
        """Return where the tool is commanded to be, (3,) m."""
        return self._kinematics.position(self._governed())

    def rests(self) -> bool:
        """Whether the arm is commanded to stand still."""
        return max(map(abs, self._client.state(5.0).governed_velocity)) < _RESTS

    def hold(self, towards: Vector) -> None:
        """Take hold of the handle, and begin to drag it `towards` a place (3,) m. What was taken hold of shows in what
        the arm does: where that is not to come along on the level, it is let go of and tried once more. Raises
        `ConnectionLost` when that does not succeed."""
        for _ in range(_GRIPS):
            wait_for(self.rests, ANSWER_S, "rest of the arm")
            before = self._kinematics.forward(self._governed())
            self._along = level_grip(before.position, self._size())
            try:
                hold_handle(self._page, before.position + self._along)
            except ConnectionLost:
                self._again()
                continue
            self._holds = True
            way = np.asarray(towards) - before.position
            way[2] = 0.0
            tried = before.position + way * min(1.0, _TRIED_M / max(float(np.linalg.norm(way)), 1e-9))
            self.drag(tried)
            deadline = time.monotonic() + _TRIED_S
            while time.monotonic() < deadline:
                now = self._kinematics.forward(self._governed())
                turned = float(np.abs(now.rotation - before.rotation).max())
                if abs(now.position[2] - before.position[2]) > _LEVEL_M or turned > _TURNED:
                    break
                if float(np.linalg.norm(now.position - tried)) < _MOVED_M:
                    return
                time.sleep(0.02)
            self.drop()
            self._again()
        raise ConnectionLost("the arm does not come after the page's handle")

    def _again(self) -> None:
        """Load the page anew: where its view was turned, nothing is where it was."""
        self._page.reload()
        self._page.get_by_text("STOP", exact=True).wait_for()
        wait_for(self.drives, ANSWER_S, "lease for the page")

    def drag(self, place: Vector) -> None:
        """Drag the handle that is held to `place` (3,) m, at the height at which it was taken hold of."""
        x, y = self._pixel(np.asarray(place) + self._along)
        self._page.mouse.move(x, y)

    def go(self, place: Vector, near_m: float, seconds: float, enough: Callable[[], bool] = lambda: False) -> bool:
        """Drag the handle to `place` (3,) m and wait until the tool is within `near_m` of it on the level, or it is
        `enough`; return whether it came so near within so many `seconds`."""
        self.drag(place)
        deadline = time.monotonic() + seconds
        while not enough() and time.monotonic() < deadline:
            if float(np.linalg.norm((self.tool() - place)[:2])) < near_m:
                return True
            time.sleep(0.02)
        return False

    def drop(self) -> None:
        """Let go of the handle, where it is held; the arm comes to rest."""
        if self._holds:
            self._page.mouse.up()
            self._holds = False

    def _governed(self) -> Vector:
        return np.asarray(self._client.state(5.0).governed)

    def _size(self) -> tuple[int, int]:
        canvas = self._page.locator("canvas").last.bounding_box()
        if canvas is None:
            raise ConnectionLost("the page draws nothing any more")
        return round(canvas["width"]), round(canvas["height"])

    def _pixel(self, place: Vector) -> tuple[float, float]:
        return on_screen(place, *self._size())


def level_grip(tool: Vector, size: tuple[int, int]) -> Vector:
    """Return where on the handle's level square, (3,) m from the `tool` (3,) m, a pointer meets nothing else of it, as
    far as can be, in a picture of that `size` (width, height)."""
    axes = HANDLE_LENGTH_M * np.eye(3)
    planes = [(axes[one], axes[other]) for one, other in ((0, 1), (0, 2), (1, 2))]
    turn = np.linspace(0.0, np.pi / 2, 30)[:, None]
    others = [np.linspace(0.0, _ARROW, 40)[:, None] * axis for axis in axes]
    others += [_ARC * (np.cos(turn) * one + np.sin(turn) * other) for one, other in planes]
    others += [_square(one, other, _HALF) for one, other in planes[1:]]
    seen = _seen(tool, np.concatenate(others), size)
    grips = _square(*planes[0], 0.8 * _HALF)
    room = np.linalg.norm(_seen(tool, grips, size)[:, None] - seen[None], axis=2).min(axis=1)
    found: Vector = grips[int(room.argmax())]
    return found


def _square(one: Vector, other: Vector, half: float) -> NDArray[np.float64]:
    """Points (N, 3) of the square between two axes of the handle."""
    along = np.linspace(_SQUARE - half, _SQUARE + half, 12)
    return np.array([a * one + b * other for a in along for b in along])


def _seen(tool: Vector, places: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    return all_on_screen(tool + places, *size)
