"""Measures what a recording promises: that no picture is lost, that saving is quick, and what is left after a kill."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import cv2
import msgspec
import numpy as np
from tqdm import tqdm

from perception.recording.recorder import Recorder
from perception.recording.saver import Saved
from perception.recording.sources import CameraAddress
from perception.recording.status import Phase
from robot.benchmark.processes import ANY, PATIENCE_S, gone, running_driver, start
from robot.dataset.edit.check import check
from robot.dataset.edit.repair import repair
from robot.dataset.format.schema import INFO_PATH
from robot.dataset.reader import Dataset
from robot.dataset.report.quality import measure_quality
from robot.errors import CameraError, RecordingError
from robot.wire.camera_spec import Images

SIZE = (320, 240)
RATE_HZ = 30
FILM_S = 3
_SAVED = re.compile(r"episode (\d+) is saved")
_PER_SET = 20
"""Kills after which a new data set is begun, since checking a data set takes longer the more it holds."""


class Pace(msgspec.Struct, frozen=True):
    """The result of recording `cameras` as `images`: the number of `episodes` and `rows`, the rate, the frames
    `dropped` and `repeated`, the worst gap between frames (s), the ages of frames in their rows (s), the times until an
    episode was on disk (s), the most rows that waited to be encoded, the number of `marked` episodes, of `problems`
    that a check of the data set found, and its size."""

    images: str
    cameras: int
    episodes: int
    rows: int
    rate_hz: float
    dropped: int
    repeated: int
    worst_gap_s: float
    age_p50_s: float
    age_worst_s: float
    save_p50_s: float
    save_worst_s: float
    most_behind: int
    marked: int
    problems: int
    megabytes: float


class Kills(msgspec.Struct, frozen=True):
    """The result of `times` kills at random times. `kept_all` counts the kills after which a repair recovered all
    episodes reported as saved, and `sound` those after which a check found no problem. `told` is the number of episodes
    reported as saved, `episodes` the number found."""

    images: str
    times: int
    kept_all: int
    sound: int
    told: int
    episodes: int


@contextmanager
def running_sources(cameras: int, folder: Path, realtime: bool = False) -> Iterator[tuple[str, list[CameraAddress]]]:
    """Run a simulated driver and `cameras` cameras that show a film at 320x240 and 30 Hz, with real-time priority if
    `realtime`; yield their addresses.

    Raises `ArmError` or `CameraError` when one does not start.
    """
    film = folder / "film.avi"
    draw_film(film)
    with ExitStack() as parts:
        driver = parts.enter_context(running_driver(["--arm", "sim"], folder / "black-box"))
        addresses = []
        for number in range(cameras):
            name = f"camera{number + 1}"
            words = ("--source", str(film), "--name", name, "--rate-hz", str(RATE_HZ), "--frames-address", ANY)
            shape = ("--width", str(SIZE[0]), "--height", str(SIZE[1]))
            process = start(("camera", *words, *shape, *(("--realtime",) if realtime else ())))
            parts.callback(gone, process)
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            found = re.search(r"tcp://[^\s,;]+", line)
            if found is None:
                process.wait(PATIENCE_S)
                raise CameraError(f"the camera did not start: {process.stderr.read().strip() or line.strip()}")
            addresses.append(CameraAddress(found.group(), name))
        yield driver.command, addresses


def measure_pace(
    command: str, cameras: list[CameraAddress], images: Images, seconds: float, episode_s: float, root: Path
) -> Pace:
    """Record `seconds` in successive episodes of `episode_s`, and measure the result."""
    saved: SimpleQueue[Saved] = SimpleQueue()
    wanted = max(1, round(seconds / episode_s))
    behind = 0
    with Recorder(root, "measure", command, cameras, RATE_HZ, images, on_saved=saved.put) as recorder:
        _settle(recorder)
        for _ in tqdm(range(wanted), desc=f"recording {images}", unit="episode", mininterval=0.5):
            recorder.start(episode_s)
            while (status := recorder.status()).phase is Phase.RECORDING:
                behind = max(behind, status.behind)
                time.sleep(0.01)
            if status.phase is not Phase.ENDED:
                raise RecordingError(f"the recording ended early: {status.note}")
            recorder.keep()
    times = _all(saved)
    report = check(root)
    dataset = Dataset.open(root)
    quality = measure_quality(dataset)
    ages = [age for one in quality.episodes for age in one.ages.values()]
    delays = np.array([each.after_s for each in times])
    return Pace(
        images=images,
        cameras=len(cameras),
        episodes=len(times),
        rows=quality.frames,
        rate_hz=quality.rate_hz,
        dropped=quality.drops,
        repeated=quality.repeats,
        worst_gap_s=quality.worst_gap_s,
        age_p50_s=float(np.median([age.median_s for age in ages])),
        age_worst_s=max(age.worst_s for age in ages),
        save_p50_s=float(np.median(delays)),
        save_worst_s=float(delays.max()),
        most_behind=behind,
        marked=sum(bool(one.marks) for one in quality.episodes),
        problems=len(report.problems),
        megabytes=sum(path.stat().st_size for path in dataset.files()) / 1e6,
    )


def measure_kills(
    command: str, cameras: list[CameraAddress], images: Images, times: int, folder: Path, seed: int
) -> Kills:
    """Kill a recording `times` times at random times, and repair its data set each time."""
    rng = np.random.default_rng(seed)
    kept_all = sound = told = episodes = before = 0
    root = folder / "set-0"
    for number in tqdm(range(times), desc=f"kills, {images}", unit="kill", mininterval=0.5):
        if number % _PER_SET == 0:
            root, before = folder / f"set-{number // _PER_SET}", 0
        words = ("record", "--dataset", str(root), "--task", "be killed", "--command-address", command)
        where = ["--camera", *(f"{camera.name}={camera.address}" for camera in cameras)]
        process = start((*words, *where, "--images", images, *_SHORT))
        try:
            said = _kill(process, float(rng.uniform(0.0, 1.5)))
        finally:
            gone(process)
        if not (root / INFO_PATH).exists():  # killed before there was a data set, so nothing could be lost
            kept_all, sound = kept_all + 1, sound + 1
            continue
        mended = repair(root)
        kept_all += mended.episodes >= before + said
        sound += check(root).sound
        told, episodes, before = told + said, episodes + mended.episodes - before, mended.episodes
    return Kills(images, times, kept_all, sound, told, episodes)


_SHORT = ("--episodes", "1000", "--episode-s", "0.3", "--reset-s", "0")


def draw_film(path: Path) -> None:
    """Write a film of `FILM_S` seconds that shows objects moving over a table, with sensor noise."""
    rng = np.random.default_rng(0)
    width, height = SIZE
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, SIZE)
    table = np.linspace(90, 170, height)[:, None, None] * np.ones((1, width, 3))
    for number in range(FILM_S * RATE_HZ):
        turn = 2 * np.pi * number / (FILM_S * RATE_HZ)
        picture = table + rng.normal(0.0, 2.0, table.shape)
        for which, colour in enumerate(((40, 40, 200), (200, 120, 30), (60, 180, 60))):
            x, y = 160 + 90 * np.cos(turn + 2 * which), 120 + 60 * np.sin(turn + 2 * which)
            cv2.rectangle(picture, (int(x) - 18, int(y) - 14), (int(x) + 18, int(y) + 14), colour, -1)
        writer.write(np.clip(picture, 0, 255).astype(np.uint8))
    writer.release()


def _kill(process: subprocess.Popen[str], after_s: float) -> int:
    """Kill a recording `after_s` after its first episode began; return how many episodes it had reported as saved."""
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if ": recording" in line:
            break
    else:
        process.wait(PATIENCE_S)
        raise RecordingError(f"the recording did not begin: {process.stderr.read().strip()}")
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=PATIENCE_S)
    return len(_SAVED.findall(rest))


def _settle(recorder: Recorder) -> None:
    """Wait until the rates of the cameras and the driver are known."""
    deadline = time.monotonic() + PATIENCE_S
    while recorder.status().phase is not Phase.READY:
        if time.monotonic() > deadline:
            raise RecordingError(f"the recording did not become ready: {recorder.status().note}")
        time.sleep(0.05)
    time.sleep(1.0)


def _all(saved: SimpleQueue[Saved]) -> list[Saved]:
    found = []
    while True:
        try:
            found.append(saved.get_nowait())
        except Empty:
            return found
