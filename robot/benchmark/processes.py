"""The processes of a measurement, started as a user would start them, and ended afterwards."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from robot.client.client import Client
from robot.errors import ArmError, ConnectionLost

ANY = "tcp://127.0.0.1:*"
PATIENCE_S = 60.0


class RunningDriver:
    """A running driver: its addresses `command` and `state`, and its `process`."""

    def __init__(self, process: subprocess.Popen[str], command: str, state: str) -> None:
        self.process = process
        self.command = command
        self.state = state

    def client(self, timeout_s: float = 5.0) -> Client:
        """Return a new client of the driver."""
        return Client(self.command, timeout_s)

    def end(self) -> str:
        """Let the driver park and end, and return the rest of its output."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return out

    def resident_bytes(self) -> int:
        """Return the driver's resident memory, bytes."""
        return resident_bytes(self.process.pid)


@contextmanager
def running_driver(words: Sequence[str], folder: Path) -> Iterator[RunningDriver]:
    """Start `worldarm driver WORDS` with its flight log under `folder`. Raises `ArmError` when it does not start."""
    command = ("driver", "--state-address", ANY, "--command-address", ANY, "--flight-log", str(folder), *words)
    process = start(command)
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        found = re.search(r"command (tcp://\S+), state (tcp://[^\s;]+)", line)
        if found is None:
            process.wait(PATIENCE_S)
            raise ArmError(f"the driver did not start: {process.stderr.read().strip() or line.strip()}")
        yield RunningDriver(process, found.group(1), found.group(2))
    finally:
        gone(process)


def start(words: Sequence[str]) -> subprocess.Popen[str]:
    """Start `worldarm WORDS`."""
    return subprocess.Popen(
        [sys.executable, "-m", "worldarm", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",  # it may print in another encoding (PYTHONIOENCODING) than is read here
    )


def gone(process: subprocess.Popen[str]) -> None:
    """Kill a process, stopped or not, and wait for its end."""
    process.kill()
    process.communicate(timeout=PATIENCE_S)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of the process `pid`, bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return 1024 * int(found.group(1)) if found else 0


def patiently(client: Client, seconds: float = PATIENCE_S) -> None:
    """Wait until the arm rests and nobody has the lease. Raises `ConnectionLost` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        state = client.state(5.0)
        if not state.holder and not any(state.governed_velocity):
            return
        if time.monotonic() > deadline:
            raise ConnectionLost(f"the arm does not come to rest within {seconds:g} s ({state.mode}: {state.reason})")
        time.sleep(0.002)
