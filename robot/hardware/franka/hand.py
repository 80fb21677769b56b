"""The Franka Hand: a gripper that takes a second per command and must not block the loop.

One thread reads its width, another carries out the newest command; the loop never waits for either.
"""

from __future__ import annotations

import threading

import franky

from robot.errors import ArmError
from robot.hardware.franka.description import OPEN_M
from robot.hardware.franka.errors import plain_words, said
from robot.hardware.timeouts import within

SPEED_SHARE = 0.5
"""How fast the fingers move, as a share of the fastest that the set-point of their width changes: 0.1 m/s at full
speed."""
FORCE_N = 40.0
"""The gripping force; the hand can apply 70 N continuously."""
CONNECT_S = 3.0
_SAME_M = 0.001
"""A commanded width no further than this from the last one counts as the same command."""
_SHUT_M = 0.002
"""A commanded width below this is a command to grip."""
_FOLLOW_S = 0.02
_LEAVE_S = 1.5


class FrankaHand:
    """The hand of the arm at `host`, connected on construction without being moved. `set_point_speed` (m/s) is the
    fastest that the commanded width changes.

    Raises `ArmError` when there is none, or when it was not homed yet.
    """

    def __init__(self, host: str, set_point_speed: float) -> None:
        with plain_words(f"{host}, its hand"):
            self._gripper = within(CONNECT_S, lambda: franky.Gripper(host))
            state = within(CONNECT_S, lambda: self._gripper.state)
        if state.max_width < 0.5 * OPEN_M:
            raise ArmError(f"the hand of the arm at {host} has not been homed: home it in Desk (it opens and closes)")
        self._host = host
        self._speed = SPEED_SHARE * set_point_speed
        self._width = float(state.width)
        self._wish = self._width
        self._fault = ""
        self._ended = threading.Event()
        self._news = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._follow, self._obey)]
        for thread in self._threads:
            thread.start()

    @property
    def width(self) -> float:
        """Return the last reported distance between the fingers (m). Raises `ArmError` when the hand is lost."""
        if self._fault:
            raise ArmError(f"the hand of the arm at {self._host} is lost: {self._fault}")
        return self._width

    def want(self, width: float) -> None:
        """Command the fingers to be `width` m apart. Returns at once; the present command is carried out first."""
        self._wish = width
        self._news.set()

    def close(self) -> None:
        """Close the link; the hand completes the present command by itself."""
        self._ended.set()
        self._news.set()
        for thread in self._threads:
            thread.join(_LEAVE_S)

    def _follow(self) -> None:
        while not self._ended.wait(_FOLLOW_S):
            try:
                self._width = float(self._gripper.width)
            except (franky.NetworkException, franky.ProtocolException) as error:
                self._fault = said(error)
                return

    def _obey(self) -> None:
        done = self._wish
        while not self._ended.is_set():
            self._news.wait(_LEAVE_S)
            self._news.clear()
            wish = self._wish
            if abs(wish - done) < _SAME_M or self._ended.is_set():
                continue
            done = wish
            try:
                self._command(wish)
            except franky.CommandException:
                # An object is between the fingers, or holds them together. The reported width shows that, and repeating
                # the command would not help; the next command differs.
                continue
            except (franky.NetworkException, franky.ProtocolException) as error:
                self._fault = said(error)
                return

    def _command(self, wish: float) -> None:
        if wish < _SHUT_M:
            # An object of any thickness is gripped: the bounds only decide when the hand reports success.
            self._gripper.grasp(0.0, self._speed, FORCE_N, OPEN_M, OPEN_M)
        else:
            self._gripper.move(min(wish, OPEN_M), self._speed)
