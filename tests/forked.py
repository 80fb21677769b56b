"""Running many short commands as processes of their own that share what importing costs: forks of one that has it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.commands import ROOT, environment

_SCRIPT = """
import importlib, json, os, pathlib, sys, traceback
import tyro
import worldarm

for where, _ in worldarm.COMMANDS.values():
    importlib.import_module(where.partition(":")[0])
folder = pathlib.Path(sys.argv[1])
for number, words in enumerate(json.loads(sys.stdin.read())):
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(folder / f"{number}.{stream}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv[:] = ["worldarm", *words]
        try:
            status = worldarm.main(words)
        except SystemExit as left:
            status = left.code
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # at once: to tidy up what it shares takes each a second
    _, status = os.waitpid(child, 0)
    (folder / f"{number}.status").write_text(str(os.waitstatus_to_exitcode(status)))
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote to its two streams."""

    returncode: int
    stdout: str
    stderr: str


def outcomes(folder: Path, commands: Sequence[Sequence[str]]) -> list[Outcome]:
    """Run each command line to its end, one after the other, with `folder` for their output."""
    subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder)],
        cwd=ROOT,
        env=environment(),
        input=json.dumps([list(words) for words in commands]),
        text=True,
        check=True,
        timeout=300,
    )
    return [
        Outcome(
            int((folder / f"{number}.status").read_text()),
            *((folder / f"{number}.{stream}").read_text(errors="replace") for stream in (1, 2)),
        )
        for number in range(len(commands))
    ]
