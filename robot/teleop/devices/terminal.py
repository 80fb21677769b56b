"""The terminal that a command runs in: keys as they are pressed, one line that is written over, and given back as it
was, whatever happens."""

from __future__ import annotations

import atexit
import os
import sys
import termios
from contextlib import suppress
from types import TracebackType
from typing import Any

from robot.errors import ConfigurationError, ConnectionLost

_MOST_WAITING = 8192
_VDISABLE = b"\0"
_LFLAG, _IFLAG, _CC = 3, 0, 6


class Terminal:
    """Standard input's terminal, in raw mode but for Ctrl-C, from construction until `close`.

    It is opened a second time, so that neither reading nor writing ever waits: a terminal that takes nothing more must
    not hold the loop up. Raises `ConfigurationError` when standard input is no terminal.
    """

    def __init__(self) -> None:
        try:
            path = os.ttyname(sys.stdin.fileno())
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except (OSError, ValueError, AttributeError) as error:
            raise ConfigurationError(
                "standard input is not a terminal: run this in a terminal of its own, not in a pipe or a service"
            ) from error
        self._waiting = bytearray()
        self._line = ""
        self._before: list[Any] | None = None
        try:
            self._before = termios.tcgetattr(self._descriptor)
            # A signal may end the process at any moment, before whoever made this has got hold of it too.
            atexit.register(self.close)
            self.enter()
        except (termios.error, ConnectionLost) as error:
            self.close()
            raise ConfigurationError(f"the terminal {path} cannot be set up: {error}") from error

    def enter(self) -> None:
        """Have keys come one by one and unseen; again after a suspension, since the shell sets its own mode then.

        Raises `ConnectionLost` when the terminal was closed.
        """
        try:
            self._enter()
        except termios.error as error:
            raise ConnectionLost(f"the terminal was closed ({error}); the arm holds") from error

    def read(self) -> bytes:
        """Return what was typed, without waiting. Raises `ConnectionLost` when the terminal was closed."""
        try:
            data = os.read(self._descriptor, 1024)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise ConnectionLost(f"the terminal was closed ({error.strerror}); the arm holds") from error
        if not data:
            raise ConnectionLost("the terminal was closed; the arm holds")
        return data

    def say(self, line: str) -> None:
        """Write a line that stays, above the one that is written over."""
        self._put(f"\r\x1b[K{line}\n{self._line}")

    def show(self, line: str) -> None:
        """Write `line` over the last one, cut to the terminal's width; skipped while the terminal takes nothing."""
        self._put("")  # what waited, from when it took nothing
        with suppress(OSError):
            line = line[: max(os.get_terminal_size(self._descriptor).columns - 1, 10)]
        if line == self._line or self._waiting:
            return
        self._line = line
        self._put(f"\r{line}\x1b[K")

    def close(self) -> None:
        """Give the terminal back as it was found, and drop what was typed since: it was not meant for the shell."""
        atexit.unregister(self.close)
        if self._descriptor < 0:
            return
        # A terminal that was closed has nothing left to be given back.
        with suppress(termios.error, OSError):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        with suppress(termios.error, OSError):
            if self._before is not None:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
        with suppress(OSError):
            os.write(self._descriptor, b"\r\n" if self._line else b"")
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _enter(self) -> None:
        mode = termios.tcgetattr(self._descriptor)
        mode[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
        # Ctrl-S would stop the output, Ctrl-Z and Ctrl-\ end the mode without giving the terminal back.
        mode[_IFLAG] &= ~termios.IXON
        for key in (termios.VSUSP, termios.VQUIT):
            mode[_CC][key] = _VDISABLE
        mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)

    def _put(self, text: str) -> None:
        self._waiting += text.encode()
        del self._waiting[:-_MOST_WAITING]
        if not self._waiting:
            return
        try:
            del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            return
        except OSError as error:
            raise ConnectionLost(f"the terminal was closed ({error.strerror}); the arm holds") from error

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
