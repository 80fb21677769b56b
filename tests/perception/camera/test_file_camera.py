from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from perception.camera.feed import EndOfPictures
from perception.camera.file_camera import StillCamera, VideoCamera, own_rate_hz
from perception.camera.interface import CameraOptions
from robot.errors import CameraAway, CameraError
from tests.perception.recordings import PICTURES, STEP, still, video


def options(rate_hz: float = 20.0) -> CameraOptions:
    return CameraOptions(width=32, height=24, rate_hz=rate_hz)


def level_of(image: np.ndarray) -> int:
    return round(float(image.mean()) / STEP)


def test_a_video_plays_each_picture_once_and_ends(tmp_path: Path) -> None:
    path = video(tmp_path / "a.avi")
    assert own_rate_hz(path) == 20.0
    camera = VideoCamera(path, options(0.001), loop=False)  # a quick reader is not held back
    camera.start()
    seen = []
    with pytest.raises(EndOfPictures, match=r"a\.avi is at its end"):
        while True:
            picture = camera.read(1.0)
            seen.append((level_of(picture.image), picture.time_ns))
    camera.close()
    assert [level for level, _ in seen] == list(range(PICTURES))
    assert all(later > earlier for (_, earlier), (_, later) in pairwise(seen))


def test_a_looped_video_begins_anew_with_new_times(tmp_path: Path) -> None:
    camera = VideoCamera(video(tmp_path / "a.avi"), options(0.001))
    camera.start()
    seen = [camera.read(1.0) for _ in range(PICTURES + 3)]
    camera.close()
    assert [level_of(picture.image) for picture in seen] == [*range(PICTURES), 0, 1, 2]
    assert seen[-1].time_ns > seen[0].time_ns


def test_a_late_reader_misses_pictures(tmp_path: Path) -> None:
    camera = VideoCamera(video(tmp_path / "a.avi"), options(20.0), loop=False)
    camera.start()
    assert level_of(camera.read(1.0).image) == 0
    time.sleep(0.28)
    assert level_of(camera.read(1.0).image) >= 5
    camera.close()


def test_a_video_that_is_removed_while_it_plays_is_away_at_its_end(tmp_path: Path) -> None:
    path = video(tmp_path / "a.avi")
    camera = VideoCamera(path, options(0.001))
    camera.start()
    path.unlink()
    for _ in range(PICTURES):
        camera.read(1.0)
    with pytest.raises(CameraAway, match="there is no video"):
        camera.read(1.0)
    video(path)
    assert level_of(camera.read(1.0).image) == 0
    camera.close()


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("kein Vidéo, nur Wörter\n" * 1000)
    for path in (text, tmp_path / "absent.avi"):
        with pytest.raises(CameraError, match=r"neither a picture nor a video|there is no video"):
            VideoCamera(path, options()).start()
        with pytest.raises(CameraError):
            own_rate_hz(path)


def test_a_still_picture_is_looked_at_anew_each_time(tmp_path: Path) -> None:
    path = still(tmp_path / "a.png", 40)
    camera = StillCamera(path, options())
    camera.start()
    assert (camera.spec.width, camera.spec.height) == (32, 24)
    first, second = camera.read(1.0), camera.read(1.0)
    assert second.time_ns > first.time_ns
    assert (first.image == 40).all() and first.image.shape == (24, 32, 3)
    still(path, 90)
    assert (camera.read(1.0).image == 90).all()
    path.unlink()
    with pytest.raises(CameraAway, match=r"a\.png is gone"):
        camera.read(1.0)
    path.write_bytes(b"half a pict")
    with pytest.raises(CameraAway, match="not a complete picture"):
        camera.read(1.0)
    still(path, 120, (80, 60))
    with pytest.raises(CameraAway, match="is now 80x60, before 160x120"):
        camera.read(1.0)
    still(path, 130)
    assert (camera.read(1.0).image == 130).all()
    camera.close()


def test_nothing_can_be_read_before_the_start(tmp_path: Path) -> None:
    for camera in (StillCamera(tmp_path / "a.png", options()), VideoCamera(tmp_path / "a.avi", options())):
        with pytest.raises(CameraError, match="not started"):
            camera.read(1.0)
        with pytest.raises(CameraError, match="not started"):
            assert camera.spec
        with pytest.raises(CameraError):
            camera.start()
        camera.close()
