"""Kernel scheduling, so that a paced loop keeps its rate on a busy machine."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

from robot.errors import ConfigurationError

SLICE_NS = 100_000
"""The shortest time slice that Linux supports."""
NICE = 10
"""The nice value of work that can wait, on the scale from −20 to 19: under contention it gets a tenth of the usual
share."""
_RESET_ON_FORK = 1
"""What is asked for holds for this process, and not for those that it starts."""
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}


class _Attributes(ctypes.Structure):
    """`struct sched_attr` of Linux, in its first version."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


def _ask_for_short_slices() -> None:
    """Request time slices of `SLICE_NS`, where the kernel supports that.

    From Linux 6.12 on (the EEVDF scheduler), a process with a shorter slice preempts one with a longer slice at once;
    with equal slices it waits for up to 3 ms. Earlier kernels accept the request without effect. It needs no privilege,
    and does not increase the process's share of the processor.
    """
    number = _SCHED_SETATTR.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return
    asked = _Attributes(
        size=ctypes.sizeof(_Attributes), flags=_RESET_ON_FORK, nice=os.getpriority(os.PRIO_PROCESS, 0), runtime=SLICE_NS
    )  # policy 0 is the ordinary one
    ctypes.CDLL(None).syscall(number, 0, ctypes.byref(asked), 0)


def keep_pace(realtime: bool) -> None:
    """Configure the kernel to wake this process on time: with `realtime` before every ordinary process, else by
    preempting their time slices, where the kernel supports that.

    Raises `ConfigurationError` when real-time scheduling is not granted.
    """
    if realtime:
        _go_first()
    else:
        _ask_for_short_slices()


def lower_priority() -> None:
    """Lower the priority of the calling thread and of the threads that it starts: for work that can wait beside a paced
    loop."""
    if sys.platform == "linux":  # elsewhere a priority belongs to a whole process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))


def _go_first() -> None:
    """Request the lowest real-time priority, which is above every ordinary process. Raises `ConfigurationError` when
    the system does not grant it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except (AttributeError, OSError) as error:
        raise ConfigurationError(
            f"this system does not grant real-time scheduling ({error}); raise the limit rtprio of your user, "
            "or leave out --realtime"
        ) from error
