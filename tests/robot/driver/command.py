"""The driver's command as a process of its own, and a handle on it for tests; the arms of `kinematic_arm` are offered
to it as an installed package would."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import msgspec

from robot.client.client import Client
from robot.commands.driver import DriverOptions, driver
from robot.errors import WorldarmError
from tests.preloaded import Preloaded
from tests.robot.kinematic_arm import Options

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 120.0
"""After which what is waited for counts as never coming: how late it comes is the machine's affair."""


class DriverProcess:
    """A running driver: `command` and `state` are its endpoints, `first_line` what it said."""

    def __init__(
        self,
        folder: Path,
        options: Options | None = None,
        arm: str = "scene",
        state: str = "tcp://127.0.0.1:*",
        command: str = "tcp://127.0.0.1:*",
        duration_s: float | None = None,
        realtime: bool = False,
        curve: bool = False,
        ahead_ns: int = 0,
    ) -> None:
        metadata = folder / "strange_arms-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-arms\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(
            "[worldarm.arms]\nbare = tests.robot.kinematic_arm:make_bare\n"
            "scene = tests.robot.kinematic_arm:make_scene\n"
        )
        self.diary = folder / "diary"
        self.written = folder / "written"
        options = msgspec.structs.replace(options or Options(), diary=str(self.diary), written=str(self.written))
        address = msgspec.json.encode(options).decode()
        self.process = Preloaded(
            [
                *(__file__, arm, address, state, command, str(duration_s or "")),
                *("realtime" * realtime, str(folder / "black-box"), "curve" * curve, str(ahead_ns)),
            ],
            {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "OMP_NUM_THREADS": "1"},
        )
        self.first_line = self.process.stdout.readline()
        found = re.search(r"command (tcp://\S+), state (tcp://[^\s;]+)", self.first_line)
        self.command, self.state = found.groups() if found else ("", "")

    def client(self, timeout_s: float = 5.0) -> Client:
        """A new client; patient, because the machine may be busy with other tests."""
        return Client(self.command, timeout_s)

    def end(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send a signal, wait, and return the exit status and the rest of what was printed to the two streams."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        """Wait for the end, and return the exit status and the rest of what was printed to the two streams."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.wait(), out, err

    def kill(self) -> None:
        """Send SIGKILL and collect the process; nothing happens when it has ended."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)

    def __enter__(self) -> DriverProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def until(condition, patience_s: float = PATIENCE_S) -> None:  # type: ignore[no-untyped-def]
    """Wait until `condition()` is true; fail after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)


def main(*words: str) -> int:
    """As the command line does it: one line for an error, 130 after Ctrl-C."""
    arm, address, state, command, duration, realtime, flight_log, curve, ahead = words
    duration_s = float(duration) if duration else None
    if int(ahead):  # as on another host, whose clock began earlier
        here = time.monotonic_ns
        time.monotonic_ns = lambda: here() + int(ahead)
    try:
        driver(
            DriverOptions(
                arm,
                address,
                state_address=state,
                command_address=command,
                duration_s=duration_s,
                realtime=bool(realtime),
                flight_log=Path(flight_log),
                curve=bool(curve),
            )
        )
    except WorldarmError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
