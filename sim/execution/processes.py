"""The simulated driver and camera as separate processes on free ports, started and stopped together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType

from robot.errors import ConnectionLost
from robot.wire.camera_spec import CameraSpec

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
# The rate at which the driver publishes its scene.
CAMERA_RATE_HZ = 50.0
ANY_PORT = "tcp://127.0.0.1:*"
ADDRESS = re.compile(r"tcp://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Addresses:
    """The addresses of the processes."""

    state: str
    command: str
    frames: str


class SimulatedProcesses:
    """A context in which `worldarm driver --arm sim` and `worldarm camera --source sim` run; both end with this
    process, even when it is killed. Enter it in the main thread, or in another thread that outlives it.

    Raises `ConnectionLost`, which quotes the process's output, when one of them does not start.
    """

    def __init__(self, camera: CameraSpec, rate_hz: float = CAMERA_RATE_HZ) -> None:
        self._camera = camera
        self._rate_hz = rate_hz
        self._running: list[WorldarmProcess] = []

    def __enter__(self) -> Addresses:
        try:
            driver = self._start("driver", "--arm", "sim", "--state-address", ANY_PORT, "--command-address", ANY_PORT)
            command, state = driver.addresses(2)
            camera = self._start(
                "camera",
                *("--source", "sim", "--name", self._camera.name, "--state-address", state),
                *("--width", str(self._camera.width), "--height", str(self._camera.height)),
                *("--rate-hz", str(self._rate_hz), "--frames-address", ANY_PORT),
            )
            return Addresses(state, command, camera.addresses(1)[0])
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def timing(self) -> list[str]:
        """Return each process's timing report, printed when it ended; empty before that."""
        return [line for process in self._running for line in process.lines if "lateness" in line]

    def _start(self, *words: str) -> WorldarmProcess:
        process = WorldarmProcess(words)
        self._running.append(process)
        return process

    def _stop(self) -> None:
        # In reverse order, and each one even if another fails: a second Ctrl-C must leave none running.
        with ExitStack() as stack:
            for process in self._running:
                stack.callback(process.stop)


class WorldarmProcess:
    """One running worldarm command and its output; it ends with this process, even when that is killed."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.name = words[0]
        self.lines: list[str] = []
        self._fresh: SimpleQueue[str | None] = SimpleQueue()
        # Its own session, so that a Ctrl-C in the terminal does not reach it before this process has given the lease
        # back.
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "sim.execution.lifeline", str(os.getpid()), "worldarm", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",  # it may print in another encoding (PYTHONIOENCODING) than is read here
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def addresses(self, count: int) -> list[str]:
        """Wait for the line with the command's addresses, and return the first `count` of them in their order: the
        driver's are command and state."""
        return self.found(ADDRESS, count)

    def found(self, pattern: re.Pattern[str], count: int = 1, seconds: float | None = None) -> list[str]:
        """Wait for the line in which `pattern` matches at least `count` times, and return the first `count` matches.
        Raises `ConnectionLost` when none comes within `seconds` (default `START_TIMEOUT_S`), or when the command ends
        before."""
        seconds = START_TIMEOUT_S if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise ConnectionLost(f"the {self.name} did not start within {seconds:.0f} s") from None
            if line is None:
                raise ConnectionLost(f"the {self.name} ended at once: {' '.join(self.lines) or 'no output'}")
            found = pattern.findall(line)
            if len(found) >= count:
                return found[:count]

    def stop(self) -> None:
        """Interrupt the command, and kill it when it does not end."""
        try:
            self._popen.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(STOP_TIMEOUT_S)
        finally:
            self._popen.kill()
            self._popen.wait()
        self._reader.join(STOP_TIMEOUT_S)

    def _read(self) -> None:
        assert self._popen.stdout is not None, "stdout is piped"
        for line in self._popen.stdout:
            self.lines.append(line.rstrip())
            self._fresh.put(line)
        self._fresh.put(None)
