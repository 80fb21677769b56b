from __future__ import annotations

import os
import sys
import threading

import pytest

from robot.system.scheduling import NICE, lower_priority


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is a whole process's")
def test_a_thread_gives_way_and_the_rest_of_its_process_does_not() -> None:
    found: list[int] = []

    def nice() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def work() -> None:
        lower_priority()
        nice()
        below = threading.Thread(target=nice)
        below.start()
        below.join()

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    nice()
    assert found == [NICE, NICE, before]
