from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from perception.camera.opencv_feed import OpenCvFeed, driver_time_ns, holders
from robot.errors import CameraError
from tests.perception.camera.network_camera import jpeg

NOW = 5_000_000_000_000


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (NOW * 1e-6 - 33.0, NOW - 33_000_000),
        (NOW * 1e-6, NOW),
        (0.0, NOW),  # a driver that does not stamp
        (NOW * 1e-6 + 5.0, NOW),  # another clock, ahead
        (1.7e12, NOW),  # the wall clock
        (NOW * 1e-6 - 1500.0, NOW),  # another clock, behind
        (float("nan"), NOW),
        (-1.0, NOW),
    ],
)
def test_a_drivers_time_is_taken_where_it_can_be_true(milliseconds: float, expected: int) -> None:
    assert driver_time_ns(milliseconds, NOW) == expected


def test_a_missing_device_is_told_with_those_there_are() -> None:
    with pytest.raises(CameraError, match=r"there is no /dev/video97; (no camera is connected|there are /dev/video)"):
        OpenCvFeed("/dev/video97").open()


def test_a_device_that_is_no_camera_is_told() -> None:
    with pytest.raises(CameraError, match=r"/dev/full (is in use by|is busy, or gives no pictures itself)"):
        OpenCvFeed("/dev/full").open()


def test_who_holds_a_device_is_named(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    script = f"f = open({str(device)!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        found = holders(device)
        process.stdin.write(b"\n")
    assert len(found) == 1 and found[0].startswith(f"process {process.pid} (python")
    assert holders(device) == []


def test_an_address_where_nothing_sends_is_told() -> None:
    began = time.monotonic()
    with pytest.raises(CameraError, match="cannot be opened, or sends no video"):
        OpenCvFeed("http://127.0.0.1:9/stream.mjpg").open()
    assert time.monotonic() - began < 10.0


def test_without_opening_there_is_nothing_to_read() -> None:
    feed = OpenCvFeed("/dev/video97")
    with pytest.raises(CameraError, match="is not open"):
        feed.next()
    feed.close()


def test_a_pipe_gives_pictures_as_they_are_written(tmp_path: Path) -> None:
    pipe = tmp_path / "camera.mjpg"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as stream:
            for level in range(0, 200, 5):
                stream.write(jpeg(level))
                time.sleep(0.01)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    feed = OpenCvFeed(str(pipe))
    feed.open()
    seen = []
    with pytest.raises(CameraError, match="stopped sending"):
        while True:
            picture = feed.next()
            seen.append((int(picture.image[0, 0, 0]), picture.time_ns))
    feed.close()
    writer.join(10.0)
    assert [level for level, _ in seen] == list(range(0, 200, 5))
    assert all(later > earlier for (_, earlier), (_, later) in pairwise(seen))
