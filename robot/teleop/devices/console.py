"""The consoles of teleoperation: a status line that is updated in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from robot.teleop.devices.keyboard import Keyboard
from robot.teleop.devices.terminal import Terminal
from robot.teleop.input import Press
from robot.teleop.session import View

_SHOWN_EVERY_S = 0.1
_PRINTED_EVERY_S = 1.0


def line_of(view: View) -> str:
    """Return a view in one line."""
    x, y, z = view.tool
    parts = [
        f"{view.mode}{f' ({view.reason})' if view.reason and view.mode != 'active' else ''}",
        f"lease {view.lease}",
        f"tool {x:+.3f} {y:+.3f} {z:+.3f} m",
        f"{100 * view.speed:4.1f} cm/s of {100 * view.share:.0f} %",
        f"gripper {1e3 * view.gripper_width:.0f} mm",
    ]
    if view.slowed:
        parts.append(f"slowed: {', '.join(view.slowed)}")
    if view.clamps:
        parts.append(f"clamped: {', '.join(view.clamps)}")
    parts.append(f"{view.rate_hz:.0f} Hz, state {1e3 * view.age_s:.0f} ms")
    if view.note:
        parts.insert(0, view.note)
    return " | ".join(parts)


class TerminalConsole:
    """Shows the status line in `terminal`, and reads `keyboard` there when the device is another one."""

    def __init__(self, terminal: Terminal, keyboard: Keyboard | None = None) -> None:
        self._terminal = terminal
        self._keyboard = keyboard
        self._shown = 0.0

    def presses(self, now_ns: int) -> tuple[Press, ...]:
        """Return the presses at the additional keyboard. Raises `ConnectionLost` when the terminal was closed."""
        return () if self._keyboard is None else self._keyboard.hear(now_ns)

    def tell(self, line: str) -> None:
        """Write a line that stays."""
        self._terminal.say(line)

    def show(self, view: View) -> None:
        """Update the status line a few times a second."""
        now = time.monotonic()
        if now - self._shown >= _SHOWN_EVERY_S:
            self._shown = now
            self._terminal.show(line_of(view))


class PlainConsole:
    """Prints lines, for a teleoperation without a terminal, which then has no keys."""

    def __init__(self) -> None:
        self._shown = 0.0
        self._last: tuple[object, ...] = ()

    def presses(self, now_ns: int) -> tuple[Press, ...]:
        """Return nothing: there are no keys."""
        return ()

    def tell(self, line: str) -> None:
        """Print the line."""
        print(line, flush=True)

    def show(self, view: View) -> None:
        """Print the state when it has changed, at most once a second."""
        now = time.monotonic()
        news = (view.mode, view.lease, view.slowed, view.clamps, view.note)
        if news != self._last and now - self._shown >= _PRINTED_EVERY_S:
            self._shown, self._last = now, news
            print(line_of(view), flush=True)
