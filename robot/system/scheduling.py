"""How the kernel lets what keeps a pace run on a machine that is busy with other things."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

from robot.errors import ConfigurationError

SLICE_NS = 100_000
"""The shortest that Linux knows."""
NICE = 10
"""Of work that may take its time, on the scale from −20 to 19: a tenth of the usual share where both want all."""
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
    """Ask for `SLICE_NS` of the processor at a time, where the kernel knows such a wish.

    From 6.12 on Linux lets who asks for less than another interrupt it at once, where others wait for up to 3 ms for
    it to have had its share (the EEVDF scheduler); earlier ones agree and do nothing. It takes no privilege, and gives
    no more of the processor than before.
    """
    number = _SCHED_SETATTR.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return
    asked = _Attributes(
        size=ctypes.sizeof(_Attributes), nice=os.getpriority(os.PRIO_PROCESS, 0), runtime=SLICE_NS
    )  # a policy of 0, the ordinary one
    ctypes.CDLL(None).syscall(number, 0, ctypes.byref(asked), 0)


def keep_pace(realtime: bool) -> None:
    """Have the kernel wake this process in time: before every ordinary one when `realtime`, else in the midst of their
    shares, where the kernel can.

    Raises `ConfigurationError` where real-time scheduling is not granted.
    """
    if realtime:
        _go_first()
    else:
        _ask_for_short_slices()


def give_way() -> None:
    """Let the calling thread, and those that it starts, run after others that want the processor too: for work that
    may take its time beside what keeps a pace."""
    if sys.platform == "linux":  # elsewhere a priority is a whole process's
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))


def _go_first() -> None:
    """Ask for the lowest real-time priority, which is above every ordinary process. Raises `ConfigurationError` where
    the system does not grant it."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except (AttributeError, OSError) as error:
        raise ConfigurationError(
            f"this system does not grant real-time scheduling ({error}); raise the limit rtprio of your user, "
            "or leave out --realtime"
        ) from error
