"""Records episodes of the arm's motion at a fixed rate, controlled from a terminal or a page.

It only listens, so it works beside an agent, a teleoperation or a leader arm. It writes the governed set-points and the
measured state, paired with the pictures by their capture times. A take, here and in the saver, is one episode from its
beginning until it is saved or dropped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from perception.recording.dataset import open_set, recorded_embodiment, require_task
from perception.recording.disk_space import FreeSpace
from perception.recording.episode_rows import TIME_IS_UP, EpisodeRows, Row
from perception.recording.pairing import first_row
from perception.recording.saver import Broken, News, Saved, Saver, Unsaved
from perception.recording.scene_reset import SceneReset
from perception.recording.sources import DRIVER, CameraAddress, Health, Sources, require_fresh
from perception.recording.status import Phase, RecorderStatus
from robot.arm.kinematics import Kinematics
from robot.dataset.format.columns import EFFORT
from robot.dataset.format.recorder_columns import CAMERA_CHANGED, DRIVER_RESTARTED
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.convention import ArmConvention
from robot.errors import ConfigurationError, RecordingError, WorldarmError
from robot.system.pacing import Pacer
from robot.wire.addresses import COMMAND
from robot.wire.camera_spec import CameraSpec, Images

LAG_NS = 150_000_000
"""The delay after its time at which a row is built: longer than a picture's usual transport time."""
LEAST_FREE_BYTES = 64 * 1024 * 1024
"""With less free space on the disk, no episode is begun."""
_LAST_PICTURES = 10
_PATIENCE_S = 60.0


@dataclass
class _Running:
    """A take in progress: its number, whether it is to be kept, when that was requested (monotonic s), and for which
    task."""

    number: int
    take: EpisodeRows
    kept: bool = False
    asked: float = 0.0
    task: str = ""


class Recorder:
    """Records into the data set `dataset` from the driver at `command_address` and from `cameras`, `fps` rows a second,
    with pictures as `images`; its methods may be called from any thread. A context manager, or call `close`.

    `action` is the action convention of the models that learn from the data set. An episode ends by itself after
    `longest_s`. `rearrange` puts the objects of a simulated arm at new poses and returns a message; without it, a
    person must do that. `on_saved` is called for each episode that is on disk, in a thread of the recorder.

    Raises `ConfigurationError` for invalid arguments, `ConnectionLost` without a driver, `CameraError` without a
    camera, `DatasetError` for a data set that was recorded differently, and `RecordingError` for a folder that cannot
    be written.
    """

    def __init__(
        self,
        dataset: Path,
        task: str,
        command_address: str = COMMAND,
        cameras: Sequence[CameraAddress] = (CameraAddress(),),
        fps: int = 30,
        images: Images = "video",
        action: ArmConvention[Any] = PLANAR_PUSH,
        longest_s: float = 300.0,
        rearrange: Callable[[], str] | None = None,
        on_saved: Callable[[Saved], None] | None = None,
    ) -> None:
        if not 1.0 <= longest_s <= 3600.0:
            raise ConfigurationError(f"an episode may take from 1 to 3600 s at most, not {longest_s:g}")
        self._task = require_task(task)
        self._sources = Sources(command_address, cameras)
        try:
            arm = self._sources.arm
            self._kinematics = Kinematics(arm)
            recorded = recorded_embodiment(arm, self._sources.cameras, action)
            writer = open_set(dataset, fps, images, arm, recorded)
        except BaseException:
            self._sources.close()
            raise
        self.dataset, self.fps = dataset, fps
        self._effort = EFFORT in writer.info.features
        self._most_rows = round(longest_s * fps)
        self._on_saved = on_saved
        self._episodes = writer.info.total_episodes
        self._lock = threading.RLock()
        self._reset = SceneReset(rearrange, self._set_note)
        self._running: list[_Running] = []
        self._current: _Running | None = None
        self._unsaved = 0
        self._takes = self._kept = self._saving = 0
        self._saved_s: float | None = None
        self._failure: WorldarmError | None = None
        self._note = f"{self._episodes} episodes so far" if self._episodes else ""
        self._health: dict[str, Health] = {}
        self._holder = ""
        self._disk = FreeSpace(dataset)
        self._closing = threading.Event()
        self._look(time.monotonic_ns())
        self._saver = Saver(writer, dataset, self._handle_news)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    # ---------------------------------------------------------------- controls

    def start(self, seconds: float | None = None) -> None:
        """Begin an episode; it ends by itself after `seconds`, if given.

        Raises `ConfigurationError` when no episode can begin now, `ConnectionLost` and `CameraError` when the driver or
        a camera is away, `ArmError` when the arm is in a fault, and `RecordingError` when the disk is full or the
        recorder has failed.
        """
        with self._lock:
            self._require_going()
            if self._unsaved:
                raise ConfigurationError("an episode is not saved yet: free disk space and keep it, or discard it")
            if self._reset.running:
                raise ConfigurationError("the scene is being reset: wait a moment")
            if self._current is not None:
                raise ConfigurationError("an episode is in progress: keep or discard it first")
            now_ns = time.monotonic_ns()
            require_fresh(self._health)
            if (free := self._disk.free_bytes()) < LEAST_FREE_BYTES:
                raise RecordingError(f"only {free / 1e6:.0f} MB are free for {self.dataset}: free disk space first")
            pictures = [[frame.time_ns for frame in frames][-_LAST_PICTURES:] for frames in self._sources_frames]
            begins_ns = first_row(now_ns, 1e9 / self.fps, pictures)
            planned = None if seconds is None else max(1, round(seconds * self.fps))
            rows = self._most_rows if planned is None else planned
            cameras = self._sources.cameras
            take = EpisodeRows(begins_ns, self.fps, cameras, self._kinematics, rows, planned is not None, self._effort)
            self._current = _Running(self._takes, take)
            self._takes += 1
            self._running.append(self._current)
            self._note = ""

    def keep(self) -> None:
        """End the episode, unless it has ended by itself, and save it; the next may begin at once. When an episode
        could not be saved, try that again. Raises `ConfigurationError` when there is nothing to keep, `RecordingError`
        when the recorder has failed."""
        with self._lock:
            self._require_going()
            if self._unsaved:
                self._unsaved = 0
                self._saver.retry()
                if self._current is None:
                    self._note = "saving again"
                    return
            running = self._require_current("keep")
            running.kept, running.asked, running.task = True, time.monotonic(), self._task
            self._current = None
            self._saving += 1
            self._note = ""
            if running.take.over:
                self._finish(running)
            else:
                running.take.ends_ns = time.monotonic_ns()

    def discard(self) -> None:
        """Discard the episode or, when there is none, the episodes that could not be saved. Raises `ConfigurationError`
        when there is neither."""
        with self._lock:
            if self._current is None and self._unsaved:
                self._saving -= self._unsaved
                self._unsaved = 0
                self._saver.drop_unsaved()
            else:
                self._drop(self._require_current("discard"))
            self._note = "discarded"

    def re_record(self) -> None:
        """Discard the episode and begin it again. Raises the errors of `discard` and `start`."""
        self.discard()
        self.start()

    def set_task(self, task: str) -> None:
        """Set the task from now on, also for the episode in progress. Raises `ConfigurationError` for an invalid task,
        as `require_task` does."""
        wanted = require_task(task)
        with self._lock:
            self._task = wanted

    def reset(self) -> None:
        """Reset the scene: simulated objects are put at new poses, which takes seconds in which no episode can begin;
        for real objects, the status asks the person to move them. Raises `ConfigurationError` while an episode is in
        progress."""
        with self._lock:
            if self._current is not None:
                raise ConfigurationError("an episode is in progress: keep or discard it before the scene is reset")
            self._reset.begin()

    def status(self) -> RecorderStatus:
        """Return the present status."""
        with self._lock:
            running = self._current
            take = None if running is None else running.take
            return RecorderStatus(
                phase=self._phase(),
                task=self._task,
                episode=self._episodes + self._kept + self._saving,
                seconds=0.0 if take is None else take.rows / self.fps,
                frames=0 if take is None else take.rows,
                marks=() if take is None else tuple(take.marks),
                rates_hz={name: health.rate_hz for name, health in self._health.items()},
                ages_s={name: health.age_s if health.there else None for name, health in self._health.items()},
                holder=self._holder,
                kept=self._kept,
                saving=self._saving,
                saved_s=self._saved_s,
                behind=self._saver.behind,
                spilled=self._saver.on_disk,
                free_bytes=self._disk.free_bytes(),
                note=self._note,
            )

    @property
    def arm(self) -> str:
        """The arm's name."""
        return self._sources.arm.name

    @property
    def cameras(self) -> dict[str, CameraSpec]:
        """The cameras' specifications by name, as the cameras sent them."""
        return {camera.name: camera for camera in self._sources.cameras}

    def close(self) -> None:
        """Save the kept episodes, discard an episode in progress, and stop listening. Raises `RecordingError` when a
        kept episode could not be saved."""
        self._closing.set()
        self._thread.join(_PATIENCE_S)
        try:
            self._saver.close(_PATIENCE_S)
        finally:
            self._sources.close()
        if self._unsaved:
            raise RecordingError(f"an episode that was kept is lost: {self._note}")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- the loop

    def _work(self) -> None:
        pacer = Pacer(1.0 / self.fps)
        while True:
            pacer.wait()
            try:
                if not self._turn(time.monotonic_ns()):
                    return
            except WorldarmError as error:
                with self._lock:
                    self._fail(error)
                return

    def _turn(self, now_ns: int) -> bool:
        """Receive messages and build the rows that are due; return whether to continue."""
        restarted = self._sources.drain()
        with self._lock:
            self._look(now_ns)
            if self._closing.is_set() and self._current is not None:
                self._drop(self._current)
            for running in tuple(self._running):
                take = running.take
                if restarted and not take.ended:
                    take.end(DRIVER_RESTARTED)
                if any(health.other for health in self._health.values()) and not take.ended:
                    take.end(CAMERA_CHANGED)
                while not take.ended and take.next_ns + LAG_NS <= now_ns:
                    row = take.next_row(self._sources.states, self._sources.frames)
                    if row is not None and not self._pass_on(running, row):
                        break
                if running in self._running and take.ended:
                    self._ended(running)
            return not self._closing.is_set() or bool(self._running)

    def _pass_on(self, running: _Running, row: Row) -> bool:
        """Pass the pictures of a row to the saver; return whether there was space for them."""
        try:
            self._saver.add(running.number, row.frames)
        except RecordingError as error:
            self._saver.drop(running.number)
            self._broken(Broken(running.number, str(error)))
            return False
        return True

    def _look(self, now_ns: int) -> None:
        before, self._health = self._health, self._sources.health(now_ns)
        fault = self._health[DRIVER].fault
        if fault and self._current is None and fault != (before[DRIVER].fault if before else ""):
            self._note = f"no episode can begin, the arm is in a fault: {fault}; then `worldarm reset`"
        self._holder = self._sources.states[-1].holder if self._sources.states else ""
        self._sources_frames = tuple(tuple(frames) for frames in self._sources.frames)

    def _ended(self, running: _Running) -> None:
        """Handle a take that has all its rows."""
        if running.kept:
            self._finish(running)
        elif not self._note and running.take.over != TIME_IS_UP:
            other = "".join(f" ({health.other})" for health in self._health.values() if health.other)
            self._note = f"the episode ended by itself, {running.take.over}{other}: keep or discard it"

    def _finish(self, running: _Running) -> None:
        self._running.remove(running)
        take = running.take
        if take.rows == 0:
            self._saving -= 1
            self._note = f"nothing was recorded{f', {take.over}' if take.over else ''}"
            self._saver.drop(running.number)
            return
        self._saver.finish(running.number, take.columns(), running.task, tuple(take.marks), running.asked)

    def _drop(self, running: _Running) -> None:
        self._running.remove(running)
        self._saver.drop(running.number)
        self._current = None

    def _fail(self, error: WorldarmError) -> None:
        """Stop the recorder because of `error`; kept episodes are saved as far as possible."""
        self._failure = error
        self._note = str(error)
        for running in tuple(self._running):
            if running.kept:
                self._finish(running)
            else:
                self._drop(running)

    def _handle_news(self, news: News) -> None:
        """Handle the saver's report on a take; called in the saver's thread."""
        with self._lock:
            if isinstance(news, Saved):
                self._saving -= 1
                self._kept += 1
                self._saved_s = news.after_s
                if news.warning:
                    self._note = news.warning
            elif isinstance(news, Unsaved):
                self._unsaved += 1
                self._note = news.why
            elif isinstance(news, Broken):
                self._broken(news)
        if isinstance(news, Saved) and self._on_saved is not None:
            self._on_saved(news)

    def _broken(self, news: Broken) -> None:
        running = next((each for each in self._running if each.number == news.take), None)
        if running is not None:
            self._running.remove(running)
        if running is None or running.kept:
            self._saving -= 1
        else:
            self._current = None
        self._note = f"the episode is lost: {news.why}"

    def _set_note(self, note: str) -> None:
        with self._lock:
            self._note = note

    # ---------------------------------------------------------------- checks

    def _phase(self) -> Phase:
        if self._failure is not None or not self._thread.is_alive() or not self._saver.alive:
            return Phase.FAILED
        if self._current is not None:
            return Phase.ENDED if self._current.take.over else Phase.RECORDING
        if self._unsaved:
            return Phase.UNSAVED
        if self._reset.running:
            return Phase.RESETTING
        able = all(health.fresh and not health.fault for health in self._health.values())
        return Phase.READY if able else Phase.WAITING

    def _require_going(self) -> None:
        if self._failure is not None:
            raise RecordingError(f"the recorder stopped: {self._failure}")
        if not self._thread.is_alive() or not self._saver.alive:
            raise RecordingError("the recorder has ended; start it again")

    def _require_current(self, what: str) -> _Running:
        if self._current is None:
            raise ConfigurationError(f"there is no episode to {what}: start one")
        return self._current
