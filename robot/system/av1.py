"""Opens AV1 encoders that leave the priority of this process as it is."""

from __future__ import annotations

import os
import sys
from fractions import Fraction

from av.container import OutputContainer
from av.video.stream import VideoStream


def add_av1_stream(
    container: OutputContainer, rate: Fraction, width: int, height: int, options: dict[str, str]
) -> VideoStream:
    """Return a new stream of `container`, ready to encode pictures of `width` x `height` pixels at `rate`, in one
    thread."""
    os.environ.setdefault("SVT_LOG", "1")  # the encoder otherwise prints its settings for every video
    stream = container.add_stream("libsvtav1", rate=rate, options={**options, "svtav1-params": "lp=1"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = 1 / rate
    open_at_ordinary_priority(stream)
    return stream


def open_at_ordinary_priority(stream: VideoStream) -> None:
    """Open the encoder of `stream`, and leave the priority of the calling thread as it is.

    Where the system grants it, an AV1 encoder gives its threads and the calling one the highest real-time priority,
    with which they would keep an arm's driver from the processor, and so would all that this thread starts later.
    """
    if sys.platform != "linux":
        stream.codec_context.open()
        return
    before = _threads()
    own = os.sched_getscheduler(0), os.sched_getparam(0)
    stream.codec_context.open()
    for thread in _threads() - before:
        try:
            os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        except ProcessLookupError:
            continue  # it has ended
    os.sched_setscheduler(0, *own)


def _threads() -> set[int]:
    return {int(each) for each in os.listdir("/proc/self/task")}
