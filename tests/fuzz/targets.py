"""What the fuzzer feeds: readers of what other processes and files send, each with the one error that may come out.

Anything else is a crash: another exception, more than `MOST_S` seconds or more than `MOST_BYTES` for one input.
"""

from __future__ import annotations

import atexit
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from perception.camera.calibration_file import load_calibration
from perception.checkpoint.files import CARD_FILE, load_card
from robot.dataset.format.schema import INFO_PATH, TASKS_PATH
from robot.dataset.format.tables import row_files
from robot.dataset.reader import Dataset
from robot.errors import (
    CalibrationError,
    CheckpointError,
    ConfigurationError,
    DatasetError,
    WireError,
    WorldarmError,
)
from robot.hardware.so101.calibration import read_calibration
from robot.wire.keyring import OTHERS, OWN, Keyring
from robot.wire.messages import decode, decode_request
from tests.robot.dataset.samples import write

CORPUS = Path(__file__).parent / "corpus"
MOST_S = 1.0
"""Seconds of processor time that one input may take."""
MOST_BYTES = 256 * 2**20
"""How much the memory of this process may grow for one input."""


class CrashError(Exception):
    """An input took too long or too much memory."""


@dataclass(frozen=True)
class Target:
    """A reader: `read` takes an input, and `typed` is the only error that it may raise."""

    read: Callable[[bytes], object]
    typed: type[WorldarmError]


@cache
def scratch() -> Path:
    """A folder of this process."""
    folder = Path(tempfile.mkdtemp(prefix="worldarm-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def dataset() -> Path:
    """A whole small data set, of which one file at a time is replaced."""
    return write(scratch() / "set", 2)


def file_with(data: bytes, name: str) -> Path:
    """Write `data` to a file that only this user can read."""
    path = scratch() / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def opened_with(data: bytes, path: Path) -> Dataset:
    """Open the data set with `data` in place of one of its files, which is put back afterwards."""
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        return Dataset.open(dataset())
    finally:
        path.write_bytes(before)


TARGETS: dict[str, Target] = {
    "message": Target(decode, WireError),
    "request": Target(decode_request, WireError),
    "own-keys": Target(lambda data: Keyring(file_with(data, OWN).parent).own(), ConfigurationError),
    "other-keys": Target(lambda data: Keyring(file_with(data, OTHERS).parent).others(), ConfigurationError),
    "calibration": Target(lambda data: load_calibration(file_with(data, "camera.json")), CalibrationError),
    "so101": Target(lambda data: read_calibration(file_with(data, "so101.json")), ConfigurationError),
    "card": Target(lambda data: load_card(file_with(data, CARD_FILE).parent), CheckpointError),
    "dataset-info": Target(lambda data: opened_with(data, dataset() / INFO_PATH), DatasetError),
    "dataset-tasks": Target(lambda data: opened_with(data, dataset() / TASKS_PATH), DatasetError),
    "dataset-episodes": Target(lambda data: opened_with(data, row_files(dataset())[0]), DatasetError),
}
"""The targets by name; each has its inputs in `corpus/NAME`."""


def feed(target: Target, data: bytes) -> None:
    """Let `target` read `data`. Raises whatever is a crash: an exception that is not its typed one, or `CrashError`."""
    began, before = time.process_time(), _most_bytes()
    with suppress(target.typed):
        target.read(data)
    took_s, grew = time.process_time() - began, _most_bytes() - before
    if took_s > MOST_S:
        raise CrashError(f"{len(data)} bytes took {took_s:.1f} s; at most {MOST_S:g} are allowed")
    if grew > MOST_BYTES:
        raise CrashError(f"{len(data)} bytes took {grew / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} are allowed")


def _most_bytes() -> int:
    """Return the most memory that this process has had so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
