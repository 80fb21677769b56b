"""The person beside the arm, who starts each motion with a key, sees it, and says what it was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from robot.errors import WorldarmError
from robot.teleop.devices.terminal import Terminal

ENTER = "\n"
_LOOK_S = 0.02
_NAMES = {ENTER: "ENTER", " ": "SPACE"}


class GivenUp(WorldarmError):
    """The person ended the first run before its end; no report is written."""


class Operator(Protocol):
    """Asks a person, and hears whether a key is pressed."""

    def say(self, line: str) -> None:
        """Show a line."""

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        """Return the key of one of `answers` (key: what it means) that the person presses. Raises `GivenUp`."""

    def pressed(self) -> bool:
        """Return whether a key was pressed since the last call, without waiting."""


class TerminalOperator:
    """The person at `terminal`; the key q ends the first run."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def say(self, line: str) -> None:
        """Show a line. Raises `ConnectionLost` when the terminal was closed."""
        self._terminal.say(line)

    def ask(self, question: str, answers: Mapping[str, str]) -> str:
        """Ask until one of the keys is pressed. Raises `GivenUp` on q, and `ConnectionLost` when the terminal was
        closed."""
        offered = "   ".join(f"{_NAMES.get(key, key)} {meaning}" for key, meaning in answers.items())
        self._terminal.read()  # a key that was pressed before the question is no answer to it
        self._terminal.say(f"\n{question}\n    {offered}   q ends")
        while True:
            for key in self._terminal.read().decode(errors="replace").replace("\r", ENTER).lower():
                if key in answers:
                    return key
                if key == "q":
                    raise GivenUp("the first run was ended before its end: nothing was written")
            time.sleep(_LOOK_S)

    def pressed(self) -> bool:
        """Return whether a key was pressed. Raises `ConnectionLost` when the terminal was closed."""
        return bool(self._terminal.read())
