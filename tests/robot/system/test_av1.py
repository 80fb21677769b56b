from __future__ import annotations

import io
import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from robot.system.av1 import add_av1_stream


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the encoder leaves priorities as they are")
def test_encoding_raises_the_priority_of_no_thread_of_this_process() -> None:
    def policies() -> set[int]:
        return {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}

    before = policies()
    film = io.BytesIO()
    with av.open(film, "w", format="mp4") as container:
        stream = add_av1_stream(container, Fraction(8), 64, 48, {"preset": "12"})
        for level in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), "rgb24")))
        assert policies() == before
        container.mux(stream.encode(None))
    with av.open(io.BytesIO(film.getvalue())) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
