"""Ties a process to the one that started it, so that even SIGKILL of that one leaves nothing running.

    python -m sim.execution.lifeline PARENT MODULE WORD ...

runs a module as `python -m MODULE WORD ...` does, and interrupts it as Ctrl-C would when the process PARENT is gone.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, how: signal.Signals) -> None:
    """Have the system send `how` to this process once the thread of process `parent` that started it has ended.

    Systems other than Linux do not offer that; there a process outlives a parent that was killed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(how), 0, 0, 0)
    if os.getppid() != parent:  # it was gone before we could ask
        os.kill(os.getpid(), how)


if __name__ == "__main__":
    # Whoever runs in the background of a script ignores Ctrl-C, and so would we: but this is how we are told to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_with_parent(int(sys.argv[1]), signal.SIGINT)
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
