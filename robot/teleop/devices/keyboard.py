"""The keyboard as an input device: keys of a plain terminal that move the arm while they are held.

A terminal reports a key that goes down, and repeats it while it is held, but does not report its release. So a key
counts as held for a short time after each report: a tap nudges the arm, and a held key moves it once the terminal
begins to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence

from robot.errors import ConfigurationError
from robot.teleop.devices.terminal import Terminal
from robot.teleop.devices.terminal_keys import KeyDecoder
from robot.teleop.input import STILL, Controls, Press, Velocity
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

HOLD_S = 0.15
HOLD_RANGE_S = (0.05, 0.5)

# Axis (x, y, z, yaw, gripper) and direction.
MOTIONS: dict[str, tuple[int, int]] = {
    "w": (0, 1),
    "s": (0, -1),
    "a": (1, 1),
    "d": (1, -1),
    "up": (0, 1),
    "down": (0, -1),
    "left": (1, 1),
    "right": (1, -1),
    "i": (2, 1),
    "k": (2, -1),
    "page up": (2, 1),
    "page down": (2, -1),
    "j": (3, 1),
    "l": (3, -1),
    "o": (4, 1),
    "c": (4, -1),
}
PRESSES: dict[str, Press] = {
    " ": Press.STOP,
    "escape": Press.STOP,
    "r": Press.RESET,
    "h": Press.HOME,
    "+": Press.FASTER,
    "=": Press.FASTER,
    "-": Press.SLOWER,
    "x": Press.QUIT,
    "\x04": Press.QUIT,
}
HELP = (
    "w/s forward, back   a/d left, right (or the arrows)   i/k up, down (or page up, down)   j/l turn left, right",
    "o/c open, close the gripper   +/- faster, slower   SPACE or ESC stop   r reset   h home   x quit",
)


class Keyboard:
    """The keys of `terminal`. A key counts as held for `hold_s` seconds after each report; `dial` sets the speed.

    Raises `ConfigurationError` when `hold_s` is outside 0.05 to 0.5 s.
    """

    name = "keyboard"
    help: Sequence[str] = HELP

    def __init__(self, terminal: Terminal, dial: Dial, hold_s: float = HOLD_S) -> None:
        lowest, highest = HOLD_RANGE_S
        if not lowest <= hold_s <= highest:
            raise ConfigurationError(f"--hold-s must be from {lowest:g} to {highest:g}, not {hold_s:g}")
        self._terminal = terminal
        self._dial = dial
        self._hold_ns = round(hold_s * 1e9)
        self._decoder = KeyDecoder()
        self._held: dict[int, tuple[int, int]] = {}
        self._armed = True
        self._heard_ns = 0

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the input of the held keys. Raises `ConnectionLost` when the terminal was closed."""
        presses = self.hear(now_ns)
        if not self._armed:
            self._armed = not self._held
            return Controls(presses=presses)
        if not self._held:
            return Controls(STILL, presses)
        ways = [0] * 5
        for axis, (direction, _) in self._held.items():
            ways[axis] = direction
        x, y, z, yaw, gripper = ways
        dial = self._dial
        input_ = Velocity((x * dial.linear, y * dial.linear, z * dial.linear), yaw * dial.yaw, gripper * dial.gripper)
        return Controls(input_, presses)

    def hear(self, now_ns: int) -> tuple[Press, ...]:
        """Read what was typed, and return the presses of keys that do not move the arm.

        Raises `ConnectionLost` when the terminal was closed.
        """
        slept = self._heard_ns and now_ns - self._heard_ns > self._hold_ns
        self._heard_ns = now_ns
        if slept:
            self._terminal.enter()
        presses = []
        for key in self._decoder.feed(self._terminal.read(), now_ns):
            if key in PRESSES:
                presses.append(PRESSES[key])
            elif key in MOTIONS and not slept:  # else it is unknown when it was pressed
                axis, direction = MOTIONS[key]
                self._held[axis] = (direction, now_ns)
        self._held = {axis: each for axis, each in self._held.items() if now_ns - each[1] < self._hold_ns}
        return tuple(presses)

    def let_go(self) -> None:
        """Move nothing until no key has been reported for a while."""
        self._armed = False

    def close(self) -> None:
        """Do nothing: the owner of the terminal closes it."""
