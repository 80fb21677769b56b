"""A person at a terminal: a command on a pseudo-terminal of its own, keys that are typed and a screen to read."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable

from tests.commands import environment
from tests.preloaded import Preloaded
from tests.robot.driver.command import until

PATIENCE_S = 300.0
REPEAT_S = 0.03
"""A terminal repeats a key that is held about so often."""
STILL_S, RELEASED_S = 2.0, 1.0
"""After which a person lets go of a key that moves nothing, and for how long."""


class Person:
    """Someone who types at a command on a terminal; `words` follow `worldarm` in `module`."""

    def __init__(self, *words: str, module: str = "worldarm") -> None:
        self.own, self._other = os.openpty()
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 300, 0, 0))
        self.mode = termios.tcgetattr(self._other)
        self.process = Preloaded(["-m", module, *words], environment(), terminal=self._other)
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        """All that was ever written to the terminal, the bytes that move the cursor left out."""
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self._seen.decode(errors="replace"))

    @property
    def line(self) -> str:
        """The line that is kept up to date, as it stands now."""
        return self.screen.replace("\n", "\r").rstrip("\r").rsplit("\r", 1)[-1]

    def type(self, keys: str) -> None:
        """Press keys, one after the other."""
        os.write(self.own, keys.encode())

    def hold(self, key: str, seconds: float) -> None:
        """Hold a key for so long, as a terminal tells of it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.type(key)
            time.sleep(REPEAT_S)

    def hold_until(self, key: str, condition: Callable[[], bool], patience_s: float = 30.0) -> None:
        """Hold a key until `condition()` comes true; fail when it does not. Where nothing moves for a while, let go and
        press again, as after an arm was interrupted."""
        deadline = time.monotonic() + patience_s
        moving = time.monotonic()
        while not condition():
            assert time.monotonic() < deadline, f"holding {key!r} did not do it: {self.line}"
            if " 0.0 cm/s" not in self.line:
                moving = time.monotonic()
            elif time.monotonic() - moving > STILL_S:
                time.sleep(RELEASED_S)
                moving = time.monotonic()
            self.type(key)
            time.sleep(REPEAT_S)

    def sees(self, words: str) -> None:
        """Wait until `words` have been on the screen."""
        try:
            until(lambda: words in self.screen)
        except AssertionError:
            lines = [line for line in re.split(r"[\r\n]+", self.screen) if "| lease" not in line]
            raise AssertionError(f"{words!r} was not on the screen: {lines[-30:]}; {self.line}") from None

    def end(self, number: signal.Signals | None = None) -> int:
        """Send the signal, if any, and return the exit status."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def restored(self) -> bool:
        """Whether the terminal is as it was before the command ran."""
        return termios.tcgetattr(self._other) == self.mode

    def hang_up(self) -> None:
        """Close the terminal's window."""
        own, self.own = self.own, -1
        os.close(self._other)
        self._other = -1
        os.close(own)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.own, 65536)
            except OSError:
                return
            if not data:
                return
            self._seen += data

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE_S)
        for descriptor in (self._other, self.own):
            if descriptor >= 0:
                os.close(descriptor)
