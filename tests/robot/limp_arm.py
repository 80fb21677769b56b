"""An SO-101 that a person moves: servos that nobody has switched on, in this process so that a hand can turn them."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from robot.hardware.so101.emulator import EmulatedServo, So101Emulator, calibration_file, open_line, usual_calibration
from tests.robot.hardware.arm_bench import driver_process


@dataclass
class LimpArm:
    """Its `servos` by number, and the port `path`; while `cut` is set, none of them answers."""

    servos: dict[int, EmulatedServo]
    path: str
    cut: threading.Event = field(default_factory=threading.Event)


@contextmanager
def limp_arm(emulator: So101Emulator | None = None) -> Iterator[LimpArm]:
    """Serve such an arm, or `emulator`."""
    emulator = emulator or So101Emulator(usual_calibration(), (0.0, -0.6, 0.6, 1.0, 0.0, 0.0))
    own, other, path = open_line()
    arm = LimpArm(emulator.servos, path)
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            if arm.cut.is_set():
                time.sleep(0.05)
            else:
                emulator.serve(own, 0.1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield arm
    finally:
        done.set()
        thread.join()
        os.close(own)
        os.close(other)


@contextmanager
def reading(path: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A driver that reads the arm on the port `path` and no more."""
    file = folder / "calibration.json"
    file.write_bytes(calibration_file(usual_calibration()))
    with driver_process("--arm", "so101", "--address", path, "--calibration", str(file), "--read-only") as process:
        yield process
