from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT, environment

# A process that starts one on a lifeline, says its number, and sleeps.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "sim.execution.lifeline", str(os.getpid()), "tests.sim.execution.sleeper", "word"],
    stdout=sys.stdout,
)
time.sleep(600)
"""


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN])
def test_it_runs_the_module_and_interrupts_it_when_the_parent_is_killed(handler: signal.Handlers) -> None:
    # SIG_IGN is how a script starts what it puts into the background.
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "['word']\n"
        parent.kill()
        assert parent.stdout.readline() == "interrupted\n"


def test_one_whose_parent_is_gone_already_ends_at_once() -> None:
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "sim.execution.lifeline", str(os.getppid()), "tests.sim.execution.sleeper"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        timeout=300,
    )
    assert result.returncode in (-signal.SIGINT, 130, 1) and time.monotonic() - began < 30.0
