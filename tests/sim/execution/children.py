"""Which worldarm processes there are, as the system knows them."""

from __future__ import annotations

import os
import time
from pathlib import Path


def children(parent: int) -> dict[int, str]:
    """The running worldarm processes that `parent` started: process ids and command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == parent and "worldarm" in (words := _words(folder)):
            found[int(folder.name)] = words
    return found


def of_kind(kind: str, parent: int | None = None) -> list[int]:
    """The process ids of `worldarm driver` or `worldarm camera` that `parent`, by default this process, started."""
    return [number for number, words in children(parent or os.getpid()).items() if f"worldarm {kind} " in words]


def assert_gone(numbers: list[int], patience_s: float = 10.0) -> None:
    """Assert that none of these worldarm processes is left, or is not for long."""
    deadline = time.monotonic() + patience_s
    while left := [number for number in numbers if "worldarm" in _words(Path("/proc") / str(number))]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def _parent(folder: Path) -> int:
    """The parent of a process, -1 when it is gone or only its exit status is left."""
    try:
        state, parent = (folder / "stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return -1
    return -1 if state == "Z" else int(parent)


def _words(folder: Path) -> str:
    """The command line of a process, empty when it is gone."""
    try:
        return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
