"""The terminal that a command runs in: it reads keys as they are pressed, shows a status line, and restores the
terminal's mode at the end."""

from __future__ import annotations

import atexit
import os
import sys
import termios
from contextlib import suppress
from types import TracebackType
from typing import Any

from robot.errors import ConfigurationError, ConnectionLost
from robot.system.console_output import encode_for

_MOST_WAITING = 8192
_VDISABLE = b"\0"
_LFLAG, _IFLAG, _CC = 3, 0, 6


class Terminal:
    """The terminal of standard input, in raw mode except for Ctrl-C, from construction until `close`.

    It is opened a second time, so that neither reading nor writing ever waits: a blocked terminal must not delay the
    loop. Raises `ConfigurationError` when standard input is not a terminal.
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
            # A signal may end the process at any moment, also before the caller can call `close`.
            atexit.register(self.close)
            self.enter()
        except (termios.error, ConnectionLost) as error:
            self.close()
            raise ConfigurationError(f"the terminal {path} cannot be set up: {error}") from error

    def enter(self) -> None:
        """Set raw mode without echo; call it again after a suspension, since the shell changes the mode.

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
        """Write a line that stays, above the status line."""
        self._put(f"\r\x1b[K{line}\n{self._line}")

    def show(self, line: str) -> None:
        """Replace the status line with `line`, cut to the terminal's width; skipped while the terminal is blocked."""
        self._put("")  # first the output that is still pending
        with suppress(OSError):
            line = line[: max(os.get_terminal_size(self._descriptor).columns - 1, 10)]
        if line == self._line or self._waiting:
            return
        self._line = line
        self._put(f"\r{line}\x1b[K")

    def close(self) -> None:
        """Restore the terminal's mode and drop unread input, which was not meant for the shell."""
        atexit.unregister(self.close)
        if self._descriptor < 0:
            return
        # A terminal that was closed has no mode to restore.
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
        # Ctrl-S would stop the output; Ctrl-Z and Ctrl-\ would end the process without restoring the terminal.
        mode[_IFLAG] &= ~termios.IXON
        for key in (termios.VSUSP, termios.VQUIT):
            mode[_CC][key] = _VDISABLE
        mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)

    def _put(self, text: str) -> None:
        self._waiting += encode_for(sys.stdin, text)
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
