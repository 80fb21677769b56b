from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.camera.calibration_file import save_calibration
from perception.camera.framing import specification
from perception.camera.interface import CameraOptions
from perception.camera.subscriber import FrameSubscriber
from robot.errors import CameraError, ConfigurationError, ConnectionLost
from robot.wire.keyring import Role
from robot.wire.messages import Frame
from robot.wire.subscription import Subscription
from tests.commands import in_process, running, worldarm
from tests.perception.calibration.views import CALIBRATION
from tests.perception.camera import pattern_camera
from tests.perception.camera.network_camera import NetworkCamera
from tests.robot.machines import HERE, Machines, user

ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture
def installed(tmp_path: Path) -> tuple[Path, ...]:
    return (pattern_camera.install(tmp_path),)


def camera_arguments(name: str = "front", rate_hz: float = 100.0, address: str = ANY_PORT) -> list[str]:
    words = ["camera", "--source", "pattern", "--name", name, "--rate-hz", str(rate_hz), "--frames-address", address]
    return [*words, "--width", "32", "--height", "24"]


def test_publishes_what_the_camera_saw_in_order_and_in_time(installed: tuple[Path, ...]) -> None:
    with running(*camera_arguments(), paths=installed) as process, FrameSubscriber(process.endpoint) as frames:
        assert "front" in process.first_line and "32x24" in process.first_line
        received = [frames.latest(10.0)]
        while received[-1].index < received[0].index + 20:
            received.append(frames.latest(5.0))
            assert time.monotonic_ns() - received[-1].time_ns < 1e9
        for frame in received:
            np.testing.assert_array_equal(frame.image, pattern_camera.pattern(frame.index, frame.camera))
        assert all(b.index > a.index and b.time_ns > a.time_ns for a, b in pairwise(received))
        spacing_s = (received[-1].time_ns - received[0].time_ns) * 1e-9 / (received[-1].index - received[0].index)
        assert 0.009 < spacing_s < 0.03  # absolute deadlines: never faster, late only where the machine is busy


def test_ctrl_c_ends_it_with_a_line_of_timing(installed: tuple[Path, ...]) -> None:
    with running(*camera_arguments(), paths=installed) as process, FrameSubscriber(process.endpoint) as frames:
        frames.latest(10.0)
        status, out, err = process.end(signal.SIGINT)
    assert status == 130
    assert "closed front" in out and "pictures sent" in out and "lateness" in out
    assert err == "worldarm: interrupted\n"


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no real-time scheduling to ask for")
def test_real_time_scheduling_is_given_or_its_absence_told(installed: tuple[Path, ...]) -> None:
    asking = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    granted = subprocess.run([sys.executable, "-c", asking], capture_output=True).returncode == 0
    if not granted:
        result = worldarm(*camera_arguments(), "--realtime", paths=installed)
        assert (result.returncode, result.stderr.count("\n")) == (1, 1) and "rtprio" in result.stderr
        return
    words = (*camera_arguments(), "--realtime")
    with running(*words, paths=installed) as process, FrameSubscriber(process.endpoint) as frames:
        frames.latest(10.0)
        assert os.sched_getscheduler(process.process.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO


def test_ends_by_itself_after_the_duration_asked_for(installed: tuple[Path, ...]) -> None:
    began = time.monotonic()
    result = worldarm(*camera_arguments(rate_hz=20.0), "--duration-s", "0.5", paths=installed)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - began > 0.5
    sent = re.search(r"(\d+) pictures sent", result.stdout)
    assert sent and 1 <= int(sent[1]) <= 11


def test_a_failing_camera_is_told_in_one_line_and_released(installed: tuple[Path, ...]) -> None:
    result = worldarm(*camera_arguments("unplugged"), paths=installed)
    assert result.returncode == 1
    assert result.stderr == "worldarm: camera unplugged gave no picture; look at its cable\n"
    assert "closed unplugged" in result.stdout
    assert f"{pattern_camera.WORKING_PICTURES} pictures sent" in result.stdout


def test_a_camera_that_cannot_start_is_told_in_one_line(installed: tuple[Path, ...]) -> None:
    result = worldarm(*camera_arguments("absent"), paths=installed)
    assert (result.returncode, result.stderr) == (1, "worldarm: camera absent is not there; plug it in\n")


def test_a_picture_of_another_size_is_refused(installed: tuple[Path, ...]) -> None:
    result = worldarm(*camera_arguments("foreign"), paths=installed)
    assert result.returncode == 1
    assert "shape (23, 32, 3), uint8; its specification says (24, 32, 3)" in result.stderr


def test_a_picture_without_news_is_not_sent_again(installed: tuple[Path, ...]) -> None:
    with running(*camera_arguments("slow"), paths=installed) as process, FrameSubscriber(process.endpoint) as frames:
        times = [frames.latest(10.0).time_ns for _ in range(6)]
    assert len(set(times)) == 6


def test_two_cameras_cannot_have_one_address(installed: tuple[Path, ...]) -> None:
    with running(*camera_arguments(), paths=installed) as process:
        second = worldarm(*camera_arguments(address=process.endpoint), paths=installed)
    assert second.returncode == 1
    assert "is held by another process" in second.stderr and second.stderr.count("\n") == 1


def test_a_subscriber_that_never_reads_does_not_slow_the_camera(installed: tuple[Path, ...]) -> None:
    with running(*camera_arguments(rate_hz=200.0), paths=installed) as process:
        with FrameSubscriber(process.endpoint) as sleeper, FrameSubscriber(process.endpoint) as frames:
            sleeper.latest(10.0)
            first = frames.latest(10.0)
            time.sleep(2.0)
            second = frames.latest(5.0)
            late = sleeper.latest(5.0)
        rate_hz = (second.index - first.index) / ((second.time_ns - first.time_ns) * 1e-9)
        assert rate_hz > 100.0
        assert late.time_ns >= second.time_ns - 500_000_000


def test_unknown_cameras_and_impossible_options_are_told_plainly(installed: tuple[Path, ...]) -> None:
    result = worldarm("camera", "--source", "lens", paths=installed)
    assert result.returncode == 1
    assert "no camera called 'lens'" in result.stderr and "pattern" in result.stderr
    for seconds in ("0", "inf", "nan"):
        result = worldarm(*camera_arguments(), "--duration-s", seconds, paths=installed)
        assert result.returncode == 1 and "duration" in result.stderr
    result = worldarm(*camera_arguments(address="tcp://0.0.0.0:5553"), paths=installed)
    assert result.returncode == 1 and "loopback" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "a/b"}, {"width": 0}, {"height": 100_000}, {"rate_hz": 0.0}, {"rate_hz": float("nan")}],
)
def test_options_that_no_camera_can_have(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        CameraOptions(**wrong)  # type: ignore[arg-type]


def test_on_the_network_pictures_are_for_those_who_may_watch(tmp_path: Path) -> None:
    machines = Machines(tmp_path)
    words = ("camera", "--source", "pattern", "--frames-address", "tcp://0.0.0.0:*")
    with user(tmp_path / "driver"), running(*words, paths=(pattern_camera.install(tmp_path),)) as camera:
        address = camera.endpoint.replace("0.0.0.0", HERE)
        with user(machines.person("watcher", Role.WATCH)), Subscription(address, b"frame", Frame) as frames:
            frames.wait(20.0)
        stranger = machines.person("stranger", None)
        with user(stranger), Subscription(address, b"frame", Frame) as frames, pytest.raises(ConnectionLost):
            frames.wait(0.7)


def test_jpeg_is_smaller_by_far_and_decoded_all_the_same(tmp_path: Path) -> None:
    smooth = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 8.0)
    assert cv2.imwrite(str(tmp_path / "a.png"), smooth)
    words = ("camera", "--source", str(tmp_path / "a.png"), "--width", "320", "--height", "240")
    more = ("--encoding", "jpeg", "--quality", "95", "--frames-address", ANY_PORT)
    with running(*words, *more) as process, Subscription(process.endpoint, b"frame", Frame) as raw:
        raw.wait(20.0)
        message = raw.history[-1]
        assert message.encoding == "jpeg" and len(message.data) < 320 * 240 * 3 / 10
        with FrameSubscriber(process.endpoint) as frames:
            image = frames.latest(10.0).image
    assert np.abs(image.astype(int) - smooth[..., ::-1]).mean() < 2.0
    wrong = in_process(*words, *more, "--quality", "0")
    assert wrong.returncode == 1 and "--quality 0" in wrong.stderr


def test_two_cameras_run_side_by_side(tmp_path: Path) -> None:
    for name, level in (("front", 60), ("wrist", 180)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((48, 64, 3), level, np.uint8))

    def words(name: str) -> tuple[str, ...]:
        source = ("--source", str(tmp_path / f"{name}.png"), "--name", name)
        return ("camera", *source, "--width", "32", "--height", "24", "--frames-address", ANY_PORT)

    with (
        running(*words("front")) as front,
        running(*words("wrist")) as wrist,
        FrameSubscriber(front.endpoint) as ahead,
        FrameSubscriber(wrist.endpoint) as held,
    ):
        for _ in range(10):
            one, other = ahead.latest(20.0), held.latest(20.0)
            assert (one.camera.name, other.camera.name) == ("front", "wrist")
            assert (one.image == 60).all() and (other.image == 180).all()
            assert abs(one.time_ns - other.time_ns) < 1e9


def test_a_camera_that_goes_away_is_told_and_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.png"

    def put(level: int) -> None:
        assert cv2.imwrite(str(tmp_path / "new.png"), np.full((48, 64, 3), level, np.uint8))
        (tmp_path / "new.png").replace(path)

    put(60)
    words = ("camera", "--source", str(path), "--width", "32", "--height", "24", "--frames-address", ANY_PORT)
    with running(*words) as process, FrameSubscriber(process.endpoint) as frames:
        assert process.process.stdout is not None
        assert (frames.latest(20.0).image == 60).all()
        gives = process.process.stdout.readline()
        assert "a.png gives 64x48, of which all is kept, resized to 32x24; not calibrated" in gives
        path.unlink()
        away = process.process.stdout.readline()
        assert away.startswith("camera front is away: the picture ") and "is gone; retrying" in away
        gone_ns = time.monotonic_ns()
        with pytest.raises(CameraError, match="stopped sending"):
            frames.newer_than(gone_ns, 0.5)  # no old picture passes for a new one
        put(180)
        back = process.process.stdout.readline()
        assert re.fullmatch(r"camera front is back after \d+\.\d s\n", back)
        assert (frames.newer_than(time.monotonic_ns(), 10.0).image == 180).all()
        status, out, _ = process.end(signal.SIGINT)
    assert status == 130 and "away" not in out and "pictures sent" in out


def test_a_video_is_played_at_its_own_rate_to_its_end(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for level in range(0, 250, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    words = ("camera", "--source", str(tmp_path / "a.avi"), "--no-loop", "--frames-address", ANY_PORT)
    began = time.monotonic()
    result = worldarm(*words)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - began > 1.0
    assert "at 25 Hz" in result.stdout and "a.avi is at its end" in result.stdout
    sent = re.search(r"(\d+) pictures sent", result.stdout)
    assert sent and 15 <= int(sent[1]) <= 25
    faster = worldarm(*words, "--rate-hz", "100")
    assert faster.returncode == 0 and "at 100 Hz" in faster.stdout


def test_a_calibration_is_followed_and_must_be_of_these_pictures(tmp_path: Path) -> None:
    save_calibration(tmp_path / "c.json", CALIBRATION)
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((480, 640, 3), 90, np.uint8))
    assert cv2.imwrite(str(tmp_path / "small.png"), np.full((48, 64, 3), 90, np.uint8))
    words = ("--calibration", str(tmp_path / "c.json"), "--frames-address", ANY_PORT)
    source = ("camera", "--source", str(tmp_path / "a.png"), "--width", "128", "--height", "96")
    with running(*source, *words) as process, FrameSubscriber(process.endpoint) as frames:
        assert frames.latest(20.0).camera == specification("front", (128, 96), CALIBRATION)
    for other, told in (
        (str(tmp_path / "small.png"), "is for pictures of 640x480; camera front gives 64x48"),
        ("sim", "--calibration and --capture are for devices"),
    ):
        result = in_process("camera", "--source", other, *words)
        assert result.returncode == 1 and told in result.stderr and result.stderr.count("\n") == 1


def test_a_camera_on_the_network_that_is_unplugged_comes_back() -> None:
    sender = NetworkCamera()
    sender.plug()
    try:
        words = ("camera", "--source", sender.url, "--width", "32", "--height", "24", "--frames-address", ANY_PORT)
        with running(*words) as process, FrameSubscriber(process.endpoint) as frames:
            assert process.process.stdout is not None
            frames.latest(20.0)
            assert f"{sender.url} gives 160x120" in process.process.stdout.readline()
            sender.unplug()
            assert process.process.stdout.readline().startswith(f"camera front is away: {sender.url} ")
            gone_ns = time.monotonic_ns()
            sender.plug()
            frame = frames.newer_than(gone_ns, 20.0)
            assert frame.time_ns > gone_ns
            status, out, err = process.end(signal.SIGINT)
        assert status == 130 and "camera front is back after" in out and err == "worldarm: interrupted\n"
    finally:
        sender.unplug()
