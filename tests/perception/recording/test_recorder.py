"""The recorder as a page would use it: a real driver, real sockets, real files."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from perception.recording import recorder as recorder_module
from perception.recording.recorder import Recorder
from perception.recording.sources import CameraAddress, camera_addresses
from perception.recording.status import Phase
from robot.dataset import Dataset
from robot.dataset.edit.check import check
from robot.dataset.format.columns import STATE_NS, age_column, capture_column
from robot.dataset.format.recorder_columns import (
    ARM_FAULT,
    CAMERA_CHANGED,
    CAMERA_SILENT,
    FRAME_MISSING,
    STATE_SILENT,
    marks_of,
)
from robot.dataset.format.staged_files import Staging
from robot.embodiment.actions import TABLETOP
from robot.embodiment.description import read_embodiment, read_recorded_embodiment
from robot.errors import ArmError, CameraError, ConfigurationError, ConnectionLost, DatasetError, RecordingError
from tests.perception.recording.lens import Lens
from tests.robot.dataset.samples import write
from tests.robot.driver.command import DriverProcess, until
from tests.robot.kinematic_arm import Options

PICTURES = "observation.images.front"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriverProcess]:
    with DriverProcess(tmp_path_factory.mktemp("driver"), arm="bare") as process:
        yield process


@pytest.fixture(scope="module")
def lens() -> Iterator[Lens]:
    with Lens() as camera:
        yield camera


def recorder_of(root: Path, driver: DriverProcess, *lenses: Lens, task: str = "wait", **more: object) -> Recorder:
    cameras = [CameraAddress(each.endpoint, each.spec.name) for each in lenses]
    return Recorder(root, task, driver.command, cameras, **more)  # type: ignore[arg-type]


def ready(recorder: Recorder) -> Recorder:
    until(lambda: recorder.status().phase is Phase.READY)
    return recorder


def record(recorder: Recorder, seconds: float) -> None:
    """Record an episode of so many seconds and have it saved."""
    ready(recorder).start(seconds)
    until(lambda: recorder.status().phase is Phase.ENDED)
    kept = recorder.status().kept
    recorder.keep()
    until(lambda: recorder.status().kept == kept + 1)


@pytest.mark.real_time
def test_episodes_are_kept_discarded_and_recorded_again(driver: DriverProcess, lens: Lens, tmp_path: Path) -> None:
    root = tmp_path / "set"
    with recorder_of(root, driver, lens, images="png") as recorder:
        ready(recorder).start()
        until(lambda: recorder.status().frames >= 10)
        status = recorder.status()
        assert (status.phase, status.episode, status.task, status.kept) == (Phase.RECORDING, 0, "wait", 0)
        assert status.seconds == pytest.approx(status.frames / 30)
        assert status.rates_hz.keys() == status.ages_s.keys() == {"driver", "front"}
        assert status.rates_hz["front"] == pytest.approx(30, abs=10) and status.free_bytes > 0
        recorder.re_record()
        assert recorder.status().frames < 10
        until(lambda: recorder.status().frames >= 5)
        recorder.set_task("das Würfelchen 🧊 schieben")
        recorder.keep()
        recorder.start()  # at once, while the one before is being saved
        until(lambda: recorder.status().frames >= 5)
        recorder.discard()
        recorder.set_task("wait again")
        record(recorder, 0.5)
        assert recorder.status().note == "" and recorder.status().saving == 0
        assert recorder.status().saved_s < 5
    report = check(root)
    assert report.sound and report.episodes == 2
    dataset = Dataset.open(root)
    assert [episode.tasks for episode in dataset.episodes] == [("das Würfelchen 🧊 schieben",), ("wait again",)]
    assert dataset.episodes[1].length == 15
    for index in range(2):
        columns = dataset.episode(index)
        ages = columns[age_column("front")]
        assert (ages >= 0).all() and np.median(ages) < 60e6
        # Each picture says which it is, and so does the time at which it was taken.
        levels = columns[PICTURES][:, 0, 0, 0].astype(int)
        steps = np.diff(columns[capture_column("front")]) * 30e-9
        assert np.abs(np.diff(levels) % 200 - steps).max() < 0.7
        assert (np.abs(np.diff(columns[STATE_NS]) - 1e9 / 30) < 6e7).all()


def test_a_recording_goes_on_with_its_set_and_no_other(driver: DriverProcess, lens: Lens, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for episodes in (1, 2):
        with recorder_of(root, driver, lens) as recorder:
            record(recorder, 0.3)
        assert check(root).sound and len(Dataset.open(root)) == episodes
    info = Dataset.open(root).info
    recorded = read_recorded_embodiment(info)
    assert recorded is not None and recorded.cameras == (lens.spec,)
    assert info.robot_type == "panda" and info.fps == 30
    embodiment = read_embodiment(info, picture=(64, 64))
    assert (embodiment.camera.width, embodiment.camera.height) == (64, 64)
    assert embodiment.camera.focal[0] == pytest.approx(30.0 * 64 / 24)
    with Lens("wrist") as wrist:
        for more, lenses, words in (
            ({"fps": 25}, (lens,), "30 frames a second, not 25"),
            ({"images": "png"}, (lens,), "other features"),
            ({"action": TABLETOP}, (lens,), "other actions"),
            ({}, (wrist,), "other features"),
            ({}, (lens, wrist), "other features"),
        ):
            with pytest.raises(DatasetError, match=words):
                recorder_of(root, driver, *lenses, **more)
    with Lens(focal=60.0) as other_lens, pytest.raises(DatasetError, match="another pose or lens"):
        recorder_of(root, driver, other_lens)
    write(tmp_path / "play", 1)
    with pytest.raises(DatasetError):
        recorder_of(tmp_path / "play", driver, lens, fps=8)
    assert check(root).sound and len(Dataset.open(root)) == 2


@pytest.mark.parametrize("task", ["", "  ", "x" * 10_000, "put\nit", "\udc80"])
def test_a_task_that_no_set_should_keep_is_refused(
    task: str, driver: DriverProcess, lens: Lens, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="task"):
        recorder_of(tmp_path / "set", driver, lens, task=task)
    assert not (tmp_path / "set").exists()


def test_what_is_not_there_is_told_before_anything_is_written(
    driver: DriverProcess, lens: Lens, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    with pytest.raises(ConnectionLost, match="no driver answered"):
        Recorder(root, "wait", "tcp://127.0.0.1:9", [CameraAddress(lens.endpoint)])
    with pytest.raises(CameraError, match="has the name 'front', not 'wrist'"):
        Recorder(root, "wait", driver.command, [CameraAddress(lens.endpoint, "wrist")])
    with pytest.raises(CameraError, match="no picture from"):
        Recorder(root, "wait", driver.command, [CameraAddress("tcp://127.0.0.1:9")])
    with Lens() as twin, pytest.raises(CameraError, match="two cameras have the same name"):
        Recorder(root, "wait", driver.command, [CameraAddress(lens.endpoint), CameraAddress(twin.endpoint)])
    with Lens("odd", width=31) as odd, pytest.raises(ConfigurationError, match="even sizes"):
        recorder_of(root, driver, odd)
    assert not root.exists()
    root.write_text("a file")
    with pytest.raises((ConfigurationError, RecordingError, DatasetError)):
        recorder_of(root, driver, lens)
    assert root.read_text() == "a file"


@pytest.mark.parametrize("words", [["a/b=tcp://127.0.0.1:1"], ["=tcp://127.0.0.1:1"], ["a.b=tcp://127.0.0.1:1"],
                                   ["nonsense"], ["a=tcp://127.0.0.1:1", "a=tcp://127.0.0.1:2"],
                                   ["tcp://127.0.0.1:1", "b=tcp://127.0.0.1:1"]])  # fmt: skip
def test_cameras_that_cannot_be_meant_are_refused(words: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        camera_addresses(words)


def test_buttons_that_have_nothing_to_do_say_so(driver: DriverProcess, lens: Lens, tmp_path: Path) -> None:
    with recorder_of(tmp_path / "set", driver, lens) as recorder:
        for button in (recorder.keep, recorder.discard, recorder.re_record):
            with pytest.raises(ConfigurationError, match="there is no episode"):
                button()
        ready(recorder).start()
        for button in (recorder.start, recorder.reset):
            with pytest.raises(ConfigurationError, match="in progress"):
                button()
        with pytest.raises(ConfigurationError, match="at most 1000"):
            recorder.set_task("x" * 1001)
        recorder.discard()
        recorder.reset()
        assert "move the objects to new places" in recorder.status().note
    with pytest.raises(RecordingError, match="ended"):
        recorder.start()


@pytest.mark.real_time
def test_a_silent_camera_is_marked_ends_the_episode_and_is_waited_for(driver: DriverProcess, tmp_path: Path) -> None:
    root = tmp_path / "set"
    with Lens() as lens, recorder_of(root, driver, lens) as recorder:
        ready(recorder).start()
        until(lambda: recorder.status().frames >= 10)
        lens.covered = True
        until(lambda: recorder.status().phase is Phase.ENDED)
        assert {CAMERA_SILENT, FRAME_MISSING} <= set(recorder.status().marks)
        assert "keep or discard" in recorder.status().note
        recorder.keep()
        until(lambda: recorder.status().kept == 1)
        until(lambda: recorder.status().phase is Phase.WAITING)
        with pytest.raises(CameraError, match="front has been silent"):
            recorder.start()
        lens.covered = False
        record(recorder, 0.3)
    assert {CAMERA_SILENT, FRAME_MISSING} <= set(marks_of(Dataset.open(root).episodes[0]))
    assert check(root).sound


@pytest.mark.real_time
def test_another_camera_at_the_same_address_ends_the_episode_and_records_nothing(
    driver: DriverProcess, tmp_path: Path
) -> None:
    root = tmp_path / "set"
    with Lens() as lens, recorder_of(root, driver, lens) as recorder:
        record(recorder, 0.3)
        front, other = lens.spec, msgspec.structs.replace(lens.spec, name="side")
        ready(recorder).start()
        until(lambda: recorder.status().frames >= 10)
        lens.spec = other
        until(lambda: recorder.status().phase is Phase.ENDED)
        assert CAMERA_CHANGED in recorder.status().marks
        assert "'side' (32x24, rgb8), and this began with 'front'" in recorder.status().note
        recorder.discard()
        until(lambda: recorder.status().phase is Phase.WAITING)
        with pytest.raises(CameraError, match=r"front has been silent .*'side'.*'front'"):
            recorder.start()
        lens.spec = front
        record(recorder, 0.3)
    assert check(root).sound and len(Dataset.open(root)) == 2


@pytest.mark.real_time
def test_a_driver_that_is_started_anew_ends_the_episode(lens: Lens, tmp_path: Path) -> None:
    with DriverProcess(tmp_path, arm="bare") as first:
        with recorder_of(tmp_path / "set", first, lens) as recorder:
            ready(recorder).start()
            until(lambda: recorder.status().frames >= 10)
            first.kill()
            until(lambda: recorder.status().phase is Phase.ENDED)
            assert STATE_SILENT in recorder.status().marks
            recorder.discard()
            until(lambda: recorder.status().phase is Phase.WAITING)
            with pytest.raises(ConnectionLost, match="silent"):
                recorder.start()
            with DriverProcess(tmp_path, arm="bare", command=first.command) as second:
                assert second.state != first.state
                record(recorder, 0.3)
            with DriverProcess(tmp_path, Options(named="crane"), "bare", command=first.command):
                until(lambda: recorder.status().phase is Phase.FAILED)
                assert "now runs the arm 'crane' with 7 joints, and this began with" in recorder.status().note
        assert check(tmp_path / "set").sound and len(Dataset.open(tmp_path / "set")) == 1


@pytest.mark.real_time
def test_a_fault_of_the_arm_is_a_mark_and_no_episode_begins_in_it(lens: Lens, tmp_path: Path) -> None:
    broken = Options(read_fails_after=2000, mends=True)
    with DriverProcess(tmp_path, broken, "bare") as driver, recorder_of(tmp_path / "set", driver, lens) as recorder:
        ready(recorder).start()
        until(lambda: recorder.status().phase is Phase.ENDED)
        assert ARM_FAULT in recorder.status().marks
        assert "arm fault: the cable was pulled" in recorder.status().note
        recorder.keep()
        until(lambda: recorder.status().kept == 1 and recorder.status().phase is Phase.WAITING)
        with pytest.raises(ArmError, match="in a fault: the cable was pulled"):
            recorder.start()
        with driver.client() as client:
            client.reset()
        record(recorder, 0.3)
    kept = Dataset.open(tmp_path / "set").episodes
    assert [ARM_FAULT in marks_of(episode) for episode in kept] == [True, False]


@pytest.mark.real_time
def test_a_picture_that_is_none_costs_its_episode_alone(driver: DriverProcess, tmp_path: Path) -> None:
    with Lens() as lens, recorder_of(tmp_path / "set", driver, lens) as recorder:
        record(recorder, 0.3)
        ready(recorder).start()
        lens.broken = True
        until(lambda: "the episode is lost" in recorder.status().note)
        lens.broken = False
        assert "sent 7 bytes" in recorder.status().note
        time.sleep(0.5)
        record(recorder, 0.3)
    assert check(tmp_path / "set").sound and len(Dataset.open(tmp_path / "set")) == 2


def test_an_episode_that_finds_no_room_waits_until_there_is(
    driver: DriverProcess, lens: Lens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full as far as the set's files go: every write fails as the kernel would have it fail."""
    root = tmp_path / "set"
    with recorder_of(root, driver, lens) as recorder:
        record(recorder, 0.3)

        def full(self: Staging, relative: str, data: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(Staging, "add", full)
            ready(recorder).start(0.3)
            until(lambda: recorder.status().phase is Phase.ENDED)
            recorder.keep()
            until(lambda: recorder.status().phase is Phase.UNSAVED)
            assert "No space left" in recorder.status().note
            with pytest.raises(ConfigurationError, match="not saved yet"):
                recorder.start()
            assert check(root).sound and len(Dataset.open(root)) == 1
        recorder.keep()
        until(lambda: recorder.status().kept == 2)
        assert recorder.status().saving == 0
        monkeypatch.setattr(recorder_module, "LEAST_FREE_BYTES", 2**62)
        with pytest.raises(RecordingError, match="free disk space"):
            recorder.start()
    assert check(root).sound and len(Dataset.open(root)) == 2


def test_a_scene_is_reset_beside_the_buttons(driver: DriverProcess, lens: Lens, tmp_path: Path) -> None:
    go = threading.Event()

    def rearrange() -> str:
        assert go.wait(20.0)
        return "the scene was reset"

    with recorder_of(tmp_path / "set", driver, lens, rearrange=rearrange) as recorder:
        ready(recorder).reset()
        assert recorder.status().phase is Phase.RESETTING
        for button in (recorder.start, recorder.reset):
            with pytest.raises(ConfigurationError, match="being reset"):
                button()
        go.set()
        until(lambda: recorder.status().phase is Phase.READY)
        assert recorder.status().note == "the scene was reset"
