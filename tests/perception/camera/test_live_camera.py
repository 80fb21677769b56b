from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from perception.camera.board import Board
from perception.camera.calibration_file import VERSION, Calibration, Lens
from perception.camera.interface import CameraOptions
from perception.camera.live_camera import LiveCamera
from perception.camera.opencv_feed import OpenCvFeed
from robot.errors import CalibrationError, CameraAway, CameraError
from tests.perception.camera.network_camera import NetworkCamera, until
from tests.perception.camera.scripted_feed import ScriptedFeed

OPTIONS = CameraOptions(width=16, height=12)


@contextmanager
def started(feed: ScriptedFeed) -> Iterator[LiveCamera]:
    """A camera over `feed` that has seen its first picture, of level 1."""
    camera = LiveCamera(feed, "the device", OPTIONS)
    feed.push(1)
    camera.start()
    try:
        yield camera
    finally:
        feed.unplug()
        camera.close()


def test_a_slow_reader_gets_the_newest_picture_and_none_twice() -> None:
    feed = ScriptedFeed()
    with started(feed) as camera:
        assert (camera.spec.width, camera.spec.height) == (16, 12)
        first = camera.read(5.0)
        assert first.image.shape == (12, 16, 3) and first.image[0, 0, 0] == 1
        for level in range(2, 9):
            feed.push(level)
        until(lambda: feed.drained)
        time.sleep(0.05)
        latest = camera.read(5.0)
        assert latest.image[0, 0, 0] == 8 and latest.time_ns > first.time_ns
        with pytest.raises(CameraAway, match=r"the device has stalled: no picture for 0.1 s"):
            camera.read(0.1)


def test_a_stamp_that_does_not_advance_is_no_new_picture() -> None:
    feed = ScriptedFeed()
    with started(feed) as camera:
        shown = camera.read(5.0)
        feed.push(2, shown.time_ns)
        with pytest.raises(CameraAway):
            camera.read(0.1)
        feed.push(3)
        assert camera.read(5.0).image[0, 0, 0] == 3


def test_an_unplugged_device_is_away_until_it_is_plugged_in_again() -> None:
    feed = ScriptedFeed()
    with started(feed) as camera:
        camera.read(5.0)
        feed.unplug()
        with pytest.raises(CameraAway, match="the device is gone"):
            camera.read(5.0)
        until(lambda: "no device" in _trouble(camera))
        opened = feed.opened
        feed.plug()
        feed.push(7)
        until(lambda: feed.opened == opened + 1)
        assert camera.read(5.0).image[0, 0, 0] == 7
        assert feed.closed >= 1


def test_tries_again_after_pauses_that_are_bounded() -> None:
    feed = ScriptedFeed()
    with started(feed) as camera:
        camera.read(5.0)
        feed.unplug()
        time.sleep(1.0)
        assert 2 <= feed.closed <= 4  # after a quarter, a half and a whole second, and never in a spin


def test_a_replacement_with_other_pictures_is_told_and_the_old_one_taken_back() -> None:
    feed = ScriptedFeed()
    with started(feed) as camera:
        camera.read(5.0)
        feed.width, feed.height = 40, 30
        feed.push(2)
        with pytest.raises(CameraAway, match="now gives pictures of 40x30, before 80x60"):
            camera.read(5.0)
        feed.width, feed.height = 80, 60
        feed.push(3)
        assert camera.read(5.0).image[0, 0, 0] == 3


def test_what_is_absent_at_the_start_is_an_error_at_once() -> None:
    feed = ScriptedFeed()
    feed.unplug()
    camera = LiveCamera(feed, "the device", OPTIONS)
    began = time.monotonic()
    with pytest.raises(CameraError, match="there is no device"):
        camera.start()
    assert time.monotonic() - began < 5.0
    camera.close()
    with pytest.raises(CameraError, match="not started, or closed"):
        camera.read(0.1)


def test_before_its_start_there_is_nothing_to_read() -> None:
    camera = LiveCamera(ScriptedFeed(), "the device", OPTIONS)
    with pytest.raises(CameraError, match="not started"):
        camera.read(0.1)
    with pytest.raises(CameraError, match="not started"):
        assert camera.spec
    camera.close()


def test_a_driver_that_never_comes_back_does_not_keep_the_camera_from_closing() -> None:
    feed = ScriptedFeed()
    camera = LiveCamera(feed, "the device", OPTIONS)
    feed.push(1)
    camera.start()
    feed.stuck.clear()
    feed.push(2)
    camera.read(5.0)
    began = time.monotonic()
    camera.close()
    assert time.monotonic() - began < 10.0
    feed.stuck.set()
    feed.unplug()


def test_a_calibration_of_other_pictures_is_refused() -> None:
    lens = Lens(640, 480, ((600.0, 0.0, 320.0), (0.0, 600.0, 240.0), (0.0, 0.0, 1.0)), (0.0,) * 5)
    feed = ScriptedFeed()
    camera = LiveCamera(feed, "the device", OPTIONS, Calibration(VERSION, "front", lens, 0.1, 20, Board()))
    feed.push(1)
    with pytest.raises(CalibrationError, match="is for pictures of 640x480; camera front gives 80x60"):
        camera.start()
    feed.unplug()
    camera.close()


def test_a_camera_on_the_network_stalls_is_unplugged_and_comes_back() -> None:
    sender = NetworkCamera()
    sender.plug()
    camera = LiveCamera(OpenCvFeed(sender.url), sender.url, CameraOptions(width=16, height=12))
    try:
        camera.start()
        seen = [camera.read(5.0) for _ in range(5)]
        assert all(later.time_ns > earlier.time_ns for earlier, later in pairwise(seen))
        time.sleep(0.5)
        picture = camera.read(5.0)
        assert sender.sent - int(picture.image[0, 0, 0]) <= 3  # the newest, not the next in a queue
        sender.stalled.set()
        with pytest.raises(CameraAway, match="stalled"):
            for _ in range(5):
                camera.read(0.6)
        sender.stalled.clear()
        stalled_ns = camera.read(20.0).time_ns
        sender.unplug()
        with pytest.raises(CameraAway, match=r"stopped sending|cannot be opened"):
            for _ in range(50):
                camera.read(5.0)
        sender.plug()
        until(lambda: _trouble(camera) == "")
        back = camera.read(5.0)
        assert back.time_ns > stalled_ns
    finally:
        sender.unplug()
        camera.close()


def _trouble(camera: LiveCamera) -> str:
    """Why the camera is away, by its own word; nothing while it is there."""
    try:
        camera.read(0.05)
    except CameraAway as error:
        return str(error)
    return ""
