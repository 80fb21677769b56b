from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from perception.camera.file_camera import StillCamera, VideoCamera
from perception.camera.interface import CameraOptions
from perception.camera.live_camera import LiveCamera
from perception.camera.source import SourceOptions, open_camera, usual_rate_hz
from robot.errors import CameraError, ConfigurationError
from tests.perception.recordings import still, video

OPTIONS = CameraOptions(width=32, height=24)


def test_a_source_is_known_by_what_it_is(tmp_path: Path) -> None:
    for live in ("0", "/dev/video2", "rtsp://127.0.0.1/stream", "http://127.0.0.1/stream.mjpg"):
        assert isinstance(open_camera(live, OPTIONS), LiveCamera)
        assert usual_rate_hz(live) == 30.0
    playing, standing = video(tmp_path / "a.avi", 12.5), still(tmp_path / "a.png", 9)
    assert isinstance(open_camera(str(playing), OPTIONS), VideoCamera) and usual_rate_hz(str(playing)) == 12.5
    assert isinstance(open_camera(str(standing), OPTIONS), StillCamera) and usual_rate_hz(str(standing)) == 30.0


def test_a_number_is_a_device() -> None:
    camera = open_camera("93", OPTIONS)
    with pytest.raises(CameraError, match="there is no /dev/video93"):
        camera.start()
    camera.close()


def test_what_is_nothing_of_the_kind_is_told(tmp_path: Path) -> None:
    for absent in (str(tmp_path / "none"), "none.avi"):
        with pytest.raises(CameraError, match="cannot be opened: No such file"):
            open_camera(absent, OPTIONS)
    with pytest.raises(CameraError, match="is a folder"):
        usual_rate_hz(str(tmp_path))
    with pytest.raises(ConfigurationError, match="there is no camera called 'lens'"):
        open_camera("lens", OPTIONS)


def test_options_that_a_source_cannot_have_are_refused(tmp_path: Path) -> None:
    capture = SourceOptions(capture=(640, 480))
    with pytest.raises(ConfigurationError, match="--capture is for devices"):
        open_camera(str(still(tmp_path / "a.png", 9)), OPTIONS, capture)
    with pytest.raises(ConfigurationError, match="has its own"):
        open_camera("sim", OPTIONS, capture)


def test_a_torn_video_is_told_before_anything_is_bound(tmp_path: Path) -> None:
    path = video(tmp_path / "a.avi")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CameraError, match=r"neither a picture nor a video|does not state its rate"):
        usual_rate_hz(str(path))
    assert not cv2.haveImageReader(str(path))
