"""Controls a recording from a terminal with keys, or without a person in episodes of a fixed duration."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from perception.recording.episode_rows import SPOILT
from perception.recording.recorder import Recorder
from perception.recording.saver import Saved
from perception.recording.status import Phase, RecorderStatus
from robot.errors import ConfigurationError, RecordingError, WorldarmError
from robot.system.text import printable
from robot.teleop.devices.terminal import Terminal
from robot.teleop.devices.terminal_keys import KeyDecoder

HELP = "s start   k keep   d discard   r re-record   n reset the scene   t change the task   x end"
_LEAVES, _ERASES = (b"\x1b", b"\x04"), (b"\x7f", b"\x08")
_TURN_S = 0.05
_SHOWN_EVERY_S = 0.1
_SAVE_PATIENCE_S = 60.0


@dataclass(frozen=True)
class HandsFree:
    """A recording without keys: `episodes` of `episode_s` seconds each, with `reset_s` seconds between them to reset
    the scene."""

    episodes: int
    episode_s: float
    reset_s: float

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a value out of range."""
        if self.episodes < 1:
            raise ConfigurationError(f"--episodes must be at least 1, not {self.episodes}")
        if not 0.1 <= self.episode_s <= 3600.0:
            raise ConfigurationError(f"--episode-s must be from 0.1 to 3600, not {self.episode_s:g}")
        if not 0.0 <= self.reset_s <= 3600.0:
            raise ConfigurationError(f"--reset-s must be from 0 to 3600, not {self.reset_s:g}")


class RecordingSession:
    """Lets a person at `terminal` control `recorder` or, when `plan` is given, records without a person. `saved`
    receives the recorder's saved episodes. The session closes none of its arguments."""

    def __init__(
        self, recorder: Recorder, saved: SimpleQueue[Saved], terminal: Terminal | None, plan: HandsFree | None
    ) -> None:
        self._recorder, self._saved, self._terminal, self._plan = recorder, saved, terminal, plan
        self._decoder = KeyDecoder()
        self._typed: bytearray | None = None
        self._shown = 0.0
        self._last_note = ""
        self._kept = 0
        self._begin_s: float | None = None  # when the next planned episode may begin; None while one is in progress
        self._actions: dict[str, Callable[[], None]] = {
            "s": recorder.start,
            "k": recorder.keep,
            "d": recorder.discard,
            "r": recorder.re_record,
            "n": recorder.reset,
        }

    def run(self) -> int:
        """Run until the person ends the session, or all planned episodes are saved; return the number of kept episodes.

        Raises `RecordingError` when the recorder fails or, without a person, when an episode cannot be saved, and
        `ConnectionLost` when the terminal was closed.
        """
        if self._plan is None:
            self._say(HELP)
        else:
            self._reset()
        while True:
            time.sleep(_TURN_S)
            if not self._handle_keys():
                return self._kept
            self._report_saved()
            status = self._recorder.status()
            if status.phase is Phase.FAILED:
                raise RecordingError(status.note or "the recorder has ended")
            self._show(status)
            if self._plan is not None:
                if self._kept >= self._plan.episodes:
                    return self._kept
                self._advance_plan(self._plan, status)

    # ---------------------------------------------------------------- without a person

    def _advance_plan(self, plan: HandsFree, status: RecorderStatus) -> None:
        if status.phase is Phase.UNSAVED:
            raise RecordingError(status.note)
        if status.phase is Phase.ENDED:
            spoilt = [mark for mark in status.marks if mark in SPOILT]
            if spoilt:
                self._recorder.discard()
                self._say(f"episode {status.episode} is discarded: {', '.join(spoilt)}; it is recorded again")
            else:
                self._recorder.keep()
            self._reset(last=self._kept + status.saving + (not spoilt) >= plan.episodes)
        elif status.phase is Phase.READY and self._begin_s is not None:
            due = time.monotonic() >= self._begin_s
            if due and self._kept + status.saving < plan.episodes:
                self._recorder.start(plan.episode_s)
                self._begin_s = None
                self._say(f"episode {status.episode}: recording {plan.episode_s:g} s")

    def _reset(self, last: bool = False) -> None:
        """Reset the scene, if the plan asks for it and an episode follows."""
        assert self._plan is not None
        self._begin_s = time.monotonic() + (0.0 if last else self._plan.reset_s)
        if self._plan.reset_s > 0 and not last:
            self._recorder.reset()

    # ---------------------------------------------------------------- with a person

    def _handle_keys(self) -> bool:
        """Carry out the typed keys; return whether to continue."""
        if self._terminal is None:
            return True
        # One byte at a time: text may follow a key, and a key may follow text. The empty input ends an escape sequence.
        for data in (b"", *(bytes([byte]) for byte in self._terminal.read())):
            if self._typed is not None:
                self._type(data, self._typed)
            elif not all(map(self._press, self._decoder.feed(data, time.monotonic_ns()))):
                return False
        return True

    def _press(self, key: str) -> bool:
        """Carry out the command of `key`; return whether to continue."""
        if key in ("x", "\x04"):
            return False
        if key == "t":
            self._typed = bytearray()
            self._say("type the task and ENTER; ESC keeps the present one")
        elif key in self._actions:
            self._try(self._actions[key])
            if self._plan is not None and key in "kd":
                self._reset()
        return True

    def _type(self, byte: bytes, typed: bytearray) -> None:
        """Process the next byte of the typed text."""
        if byte in (b"\r", b"\n"):
            self._typed = None
            self._try(partial(self._recorder.set_task, typed.decode(errors="replace")))
        elif byte in _LEAVES:
            self._typed = None
        elif byte in _ERASES:
            typed[:] = typed.decode(errors="ignore")[:-1].encode()
        else:
            typed += byte

    def _try(self, action: Callable[[], None]) -> None:
        """Carry out a person's command; print why when it is refused."""
        try:
            action()
        except WorldarmError as error:
            self._say(str(error))

    def _report_saved(self) -> None:
        while True:
            try:
                saved = self._saved.get_nowait()
            except Empty:
                return
            self._kept += 1
            marks = f"; marked: {', '.join(saved.marks)}" if saved.marks else ""
            self._say(f"episode {saved.index} is saved, {saved.after_s:.2f} s after it was kept{marks}{saved.warning}")

    def _show(self, status: RecorderStatus) -> None:
        if status.note and status.note != self._last_note:
            self._say(status.note)
        self._last_note = status.note
        now = time.monotonic()
        if self._terminal is not None and now - self._shown >= _SHOWN_EVERY_S:
            self._shown = now
            typed = None if self._typed is None else self._typed.decode(errors="ignore")
            self._terminal.show(line_of(status) if typed is None else f"task: {typed}")

    def _say(self, line: str) -> None:
        line = printable(line)
        if self._terminal is not None:
            self._terminal.say(line)
        else:
            print(line, flush=True)


def line_of(status: RecorderStatus) -> str:
    """Return the status as one line."""
    parts = [f"{status.phase.value} episode {status.episode}"]
    if status.phase in (Phase.RECORDING, Phase.ENDED):
        parts.append(f"{status.seconds:.1f} s, {status.frames} frames")
    for name, rate_hz in status.rates_hz.items():
        age_s = status.ages_s[name]
        age = "no message yet" if age_s is None else f"{1e3 * age_s:.0f} ms" if age_s < 1 else f"silent {age_s:.0f} s"
        parts.append(f"{name} {rate_hz:.0f} Hz {age}")
    parts.append(f"moved by {status.holder}" if status.holder else "the lease is free")
    if status.marks:
        parts.append(f"marked: {', '.join(status.marks)}")
    if status.saving:
        parts.append(f"saving {status.saving}")
    if status.behind > 60:
        parts.append(f"encoding {status.behind} rows behind{', on disk' if status.spilled else ''}")
    parts.append(f"kept {status.kept}, {status.free_bytes / 1e9:.0f} GB free")
    return " | ".join(parts)
