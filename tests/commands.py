"""Running worldarm as a user does: its own process, its real output, its exit status."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from tests import preloaded
from tests.preloaded import Preloaded
from worldarm import main

ROOT = Path(__file__).parents[1]
PATIENCE_S = 300.0
"""After which a process counts as hung. No test is about how soon it ends: that is the machine's affair."""


def environment(*paths: Path) -> dict[str, str]:
    """The environment of a process that finds the product, and the packages installed in `paths`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *paths)))}


def worldarm(
    *arguments: str, paths: tuple[Path, ...] = (), seconds: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, which must come within so many `seconds`."""
    return preloaded.run(["-m", "worldarm", *arguments], environment(*paths), seconds)


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, as what takes seconds to load is loaded here: for what is no process's doing."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            status = main(list(arguments))
        except SystemExit as left:
            status = int(left.code or 0)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def on_a_full_disk(*words: object, limit: int) -> subprocess.CompletedProcess[str]:
    """Run Python with these words where no file can grow beyond `limit` bytes."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


class Running:
    """A command that runs until told to stop. `first_line` is what it said first."""

    def __init__(self, process: Preloaded) -> None:
        self.process = process
        self.first_line = process.stdout.readline()

    @property
    def endpoint(self) -> str:
        """The first address in its first line."""
        found = re.search(r"tcp://[^\s,;]+", self.first_line)
        assert found, f"no address in {self.first_line!r}"
        return found.group()

    def end(self, how: signal.Signals | None = None) -> tuple[int, str, str]:
        """Send the signal, if any, wait for the end, and return status, rest of stdout, and stderr."""
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.wait(), out, err


@contextmanager
def running(*arguments: str, paths: tuple[Path, ...] = ()) -> Iterator[Running]:
    """Start a command, wait for its first line, and see to it that it is gone in the end."""
    process = Preloaded(["-m", "worldarm", *arguments], environment(*paths))
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()
