"""Starts the process of a first run beside a running driver, at the same terminal, and ends the driver with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec

from robot.errors import ArmError, ConfigurationError
from robot.first_run.process import UNFINISHED, Task
from robot.first_run.report import Identity

_ENDS_WITHIN_S = 5.0


class FirstRunProcess:
    """The process that checks the arm `identity` and the `cameras`. Raises `ConfigurationError` without a terminal, at
    which a person has to answer."""

    def __init__(self, identity: Identity, cameras: tuple[str, ...]) -> None:
        if not sys.stdin.isatty():
            raise ConfigurationError("--first-run asks a person at each step: run it in a terminal, not in a pipe")
        self._identity, self._cameras = identity, cameras
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, command_address: str, ended: Callable[[], None]) -> None:
        """Start it with the driver at `command_address`; call `ended` from another thread when it ends."""
        task = msgspec.json.encode(Task(self._identity, command_address, self._cameras)).decode()
        process = self._process = subprocess.Popen([sys.executable, "-m", "robot.first_run.process", task])

        def wait() -> None:
            process.wait()
            ended()

        threading.Thread(target=wait, name="first run", daemon=True).start()

    def end(self) -> None:
        """End it, if it has not ended, and let it restore the terminal."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)
            return
        self._process.kill()
        self._process.wait()

    def require_done(self) -> None:
        """Raise `ArmError` unless it ended with a report that found nothing wrong."""
        status = UNFINISHED if self._process is None else self._process.returncode
        if status == 1:
            raise ArmError("the first run found the arm not as it should be; the lines above say how")
        if status:
            raise ArmError("the first run was not finished, so there is no report: start it again")
