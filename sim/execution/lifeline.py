"""Ties a process to its parent, so that even a SIGKILL of the parent leaves nothing running.

    python -m sim.execution.lifeline PARENT MODULE WORD ...

runs a module as `python -m MODULE WORD ...` does, and interrupts it as Ctrl-C does when the process PARENT is gone.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, how: signal.Signals) -> None:
    """Make the system send the signal `how` to this process when the thread of process `parent` that started it ends.

    Systems other than Linux lack this; there a process outlives a killed parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before the request
        os.kill(os.getpid(), how)


if __name__ == "__main__":
    # A process in the background of a script ignores SIGINT and passes that on; but SIGINT must end this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_with_parent(int(sys.argv[1]), signal.SIGINT)
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
