"""The lateness of the driver's loop, alone and while other processes run."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tqdm import tqdm

from robot.benchmark.processes import gone, running_driver, start
from robot.errors import ConnectionLost

_REPORT = re.compile(
    r"(\d+) ticks, ([\d.]+) % on time, lateness p50 ([\d.]+) ms, p99 ([\d.]+) ms, p99.9 ([\d.]+) ms, worst ([\d.]+) ms"
)


class Jitter(msgspec.Struct, frozen=True):
    """The loop's lateness over `seconds`, beside the processes `beside`: quantiles in ms, and the share of deadlines
    that were served within a period."""

    seconds: float
    beside: tuple[str, ...]
    ticks: int
    on_time: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    worst_ms: float


def measure_jitter(words: Sequence[str], seconds: float, beside: Sequence[Sequence[str]], folder: Path) -> Jitter:
    """Run the driver that `worldarm driver WORDS` starts for `seconds`, beside the worldarm commands `beside`; in their
    words COMMAND and STATE stand for the driver's addresses.

    Raises `ArmError` when the driver does not start, and `ConnectionLost` when one of the commands ends meanwhile.
    """
    others: list[subprocess.Popen[str]] = []
    with running_driver(words, folder) as driver:
        try:
            for command in beside:
                places = {"COMMAND": driver.command, "STATE": driver.state}
                others.append(start([places.get(word, word) for word in command]))
            for _ in tqdm(range(round(seconds)), desc="jitter", unit="s"):
                time.sleep(1.0)
                for other, command in zip(others, beside, strict=True):
                    if other.poll() is not None:
                        assert other.stderr is not None
                        raise ConnectionLost(f"worldarm {command[0]} ended meanwhile: {other.stderr.read().strip()}")
        finally:
            for other in others:
                gone(other)
        report = driver.end()
    found = _REPORT.search(report)
    if found is None:
        raise ConnectionLost(f"the driver did not report its loop's lateness: {report.strip()}")
    ticks, on_time, p50, p99, p999, worst = map(float, found.groups())
    return Jitter(seconds, tuple(words[0] for words in beside), int(ticks), on_time / 100, p50, p99, p999, worst)
