"""Settings of the C library's malloc for training: freed memory is kept, because the next step needs it again."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # malloc.h
_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Make this process keep the memory that it frees, instead of returning large blocks to the system.

    By default glibc maps a new region for each block beyond 32 MiB, and the system fills its pages with zeros. That
    took a sixth of a training step on two cores. The price is memory: the peak of a default training rises from 2 to 3
    GB. Other C libraries have no such setting and are left as they are.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
