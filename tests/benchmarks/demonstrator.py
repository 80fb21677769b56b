"""A scripted person at the page who demonstrates moving about: to places, along curves, with pauses, a mind that is
changed on the way, and in the end to a place where the tool rests."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from robot.arm.interface import Box, Vector
from robot.errors import ConnectionLost
from tests.benchmarks.page_pointer import ANSWER_S, PageHand
from tests.benchmarks.teleop import wait_for

TRIES = 6
"""How often one demonstration is begun anew before it is given up."""
_EDGE_M = 0.012
_FAR_M = 0.09
_NEAR_M, _THERE_M = 0.012, 0.004
_WAY_S = 8.0
_STUCK_M = 0.01
_BEGINS_S, _RESET_S = 5.0, 30.0
"""After which a button is pressed once more."""
_MOVED_M = 1e-3
_STEP_M = 0.03
_RESTS_S = 0.8
_MANNERS, _SHARES = ("there", "turn back", "curve", "pause"), (0.35, 0.25, 0.25, 0.15)


class Stuck(Exception):
    """The arm no longer comes after the handle, as when the page or the machine was held up."""


class Demonstrator:
    """Records demonstrations by `hand` within `bounds` (m, base frame), at the height of its lower face."""

    def __init__(self, hand: PageHand, bounds: Box, rng: np.random.Generator) -> None:
        self._hand, self._rng = hand, rng
        self._lower, self._upper = np.asarray(bounds.lower), np.asarray(bounds.upper)
        self._lower[:2] += _EDGE_M
        self._upper[:2] -= _EDGE_M
        self._kept = 0

    def demonstrate(self, seconds: float) -> int:
        """Record one demonstration, so many `seconds` of moving about before the last way, and keep it; return how
        often it was discarded before. Raises `ConnectionLost` when it does not succeed."""
        reasons: list[str] = []
        for tries in range(TRIES):
            self._reset()
            self._start()
            try:
                self._hand.hold(self._somewhere(_FAR_M))
                self._wander(seconds)
                self._end()
            except Stuck as stuck:
                reasons.append(str(stuck))
                self._hand.drop()
                self._hand.press("Discard")
                continue
            self._hand.press("Keep")
            self._kept += 1
            self._hand.wait(f"{self._kept} kept")
            return tries
        raise ConnectionLost("\n".join([f"a demonstration was interrupted {TRIES} times:", *reasons]))

    def _reset(self) -> None:
        """Press the button until the scene was reset: on a busy machine the arm may not arrive in time."""
        before = self._hand.tool()

        def new() -> bool:
            return float(np.linalg.norm(self._hand.tool() - before)) > _MOVED_M and self._hand.says(
                "the scene was reset"
            )

        self._until(new, "Reset the scene", _RESET_S, "reset of the scene")
        wait_for(self._hand.drives, ANSWER_S, "lease for the page")

    def _start(self) -> None:
        """Press the button until it records: a busy machine's camera may be late for a moment."""
        self._until(self._hand.records, "Start", _BEGINS_S, "beginning of an episode")

    def _wander(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            manner = self._rng.choice(_MANNERS, p=_SHARES)
            if manner == "pause":
                time.sleep(float(self._rng.uniform(0.3, 0.9)))
            elif manner == "curve":
                self._curve(self._somewhere(_FAR_M))
            elif manner == "turn back":
                self._go(self._somewhere(_FAR_M), float(self._rng.uniform(0.4, 1.2)))
            else:
                self._go(self._somewhere(_FAR_M), _WAY_S, must_arrive=True)

    def _end(self) -> None:
        """Go to a place, and rest there."""
        place = self._somewhere(_FAR_M)
        if not self._hand.go(place, _THERE_M, _WAY_S):
            raise self._stuck(place)
        wait_for(self._hand.rests, ANSWER_S, "rest of the arm")
        self._hand.drop()
        time.sleep(_RESTS_S)

    def _go(self, place: Vector, seconds: float, must_arrive: bool = False) -> None:
        before = self._hand.tool()
        arrived = self._hand.go(place, _NEAR_M, seconds)
        moved = float(np.linalg.norm(self._hand.tool() - before))
        if must_arrive and not arrived and moved < _STUCK_M:
            raise self._stuck(place)

    def _stuck(self, place: Vector) -> Stuck:
        """Return the error that says where the tool is instead of at `place` (3,) m, and what else is known."""
        tool = self._hand.tool()
        far_m = float(np.linalg.norm((tool - place)[:2]))
        return Stuck(f"asked to {place.round(3)}, at {tool.round(3)}, {far_m:.3f} m off; {self._hand.report()}")

    def _curve(self, place: Vector) -> None:
        """Draw the handle along a curve, at a pace of its own."""
        here, pace_s = self._hand.tool(), float(self._rng.uniform(0.1, 0.3))
        over = self._somewhere(0.0)
        steps = max(3, round(float(np.linalg.norm(place - here)) / _STEP_M))
        for share in np.linspace(0.0, 1.0, steps + 1)[1:]:
            self._hand.drag((1 - share) ** 2 * here + 2 * share * (1 - share) * over + share**2 * place)
            time.sleep(pace_s)

    def _somewhere(self, far_m: float) -> Vector:
        """Return a place (3,) m at least so far from the tool."""
        here = self._hand.tool()
        while True:
            place = self._rng.uniform(self._lower, self._upper)
            if float(np.linalg.norm((place - here)[:2])) >= far_m:
                return place

    def _until(self, condition: Callable[[], bool], button: str, seconds: float, what: str) -> None:
        """Press the button again and again, with so many `seconds` in between, until `condition()`. Raises
        `ConnectionLost`, with `what` and what the page says, when that does not come about."""
        end = time.monotonic() + ANSWER_S
        while time.monotonic() < end:
            self._hand.press(button)
            again = time.monotonic() + seconds
            while time.monotonic() < again:
                if condition():
                    return
                time.sleep(0.05)
        raise ConnectionLost(f"no {what} within {ANSWER_S:g} s; the page says: {self._hand.text()}")
