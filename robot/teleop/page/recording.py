"""The recording buttons of a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape

import viser
from viser import GuiButtonHandle, GuiEvent

from robot.errors import ConfigurationError, WorldarmError
from robot.teleop.page.open_pages import Pages
from robot.teleop.recording_interface import Recording, RecordingStatus

START, KEEP, DISCARD, AGAIN, RESET_SCENE = "Start", "Keep", "Discard", "Re-record", "Reset the scene"
_FREE_WITHIN_S = 2.0
_RESET_WITHIN_S = 60.0
_BY_PHASE = {
    "ready": {START, RESET_SCENE},
    "recording": {KEEP, DISCARD, AGAIN},
    "ended": {KEEP, DISCARD, AGAIN},
    "unsaved": {KEEP, DISCARD},
}
"""The enabled buttons, by the recorder's phase."""


class RecordingControls:
    """The buttons on `page` that control `recording`. `lease` returns the lease holder, as in a session's `View`.

    Only the lease holder may reset a simulated scene, so the session gives the lease back meanwhile and acquires it
    again afterwards.
    """

    def __init__(self, page: viser.ClientHandle, recording: Recording, pages: Pages, lease: Callable[[], str]) -> None:
        self._page, self._recording, self._pages, self._lease = page, recording, pages, lease
        gui = page.gui
        with gui.add_folder("Record", order=15):
            self._task = gui.add_text("task", initial_value=recording.status().task)
            self._stands = gui.add_html("")
            self._buttons = {label: gui.add_button(label, color="green") for label in (START, KEEP)}
            for label in (DISCARD, AGAIN, RESET_SCENE):
                self._buttons[label] = gui.add_button(label, color="gray")
        self._does(START, recording.start)
        self._does(KEEP, recording.keep)
        self._does(DISCARD, recording.discard)
        self._does(AGAIN, recording.re_record)
        self._does(RESET_SCENE, self._reset)

        def renamed(_: GuiEvent[viser.GuiTextHandle]) -> None:
            self._try(lambda: recording.set_task(self._task.value))

        self._task.on_update(renamed)

    def show(self, status: RecordingStatus) -> None:
        """Update the buttons and the line above them."""
        for label, button in self._buttons.items():
            useless = label not in _BY_PHASE.get(status.phase, set())
            if button.disabled != useless:
                button.disabled = useless
        stands = _stands(status)
        if self._stands.content != stands:
            self._stands.content = stands

    def _does(self, label: str, action: Callable[[], None]) -> None:
        # Not on the server's thread: starting may send a request to the driver, and other pages must not wait for that.
        def pressed(_: GuiEvent[GuiButtonHandle]) -> None:
            self._try(action)

        self._buttons[label].on_click(pressed)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except WorldarmError as error:
            self._page.add_notification("Not now", str(error), auto_close_seconds=8.0, color="orange")

    def _reset(self) -> None:
        lease = self._lease()
        if lease not in ("mine", "free"):
            raise ConfigurationError(f"{lease} has the arm: end what moves it, then reset the scene")
        with self._pages.rest(self._page.client_id, "the scene is being reset"):
            _wait(lambda: self._lease() == "free", _FREE_WITHIN_S)
            self._recording.reset()  # refused by the driver when another client was faster
            _wait(lambda: self._recording.status().phase != "resetting", _RESET_WITHIN_S)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until `condition()` holds, for at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def _stands(status: RecordingStatus) -> str:
    phase = str(getattr(status.phase, "value", status.phase))
    words = [f"<b>{escape(phase)}</b>"]
    if phase in ("recording", "ended"):
        words.append(f"{status.seconds:.1f} s")
    words.append(f"{status.kept} kept")
    if status.saving:
        words.append(f"{status.saving} being saved")
    words.append(f"{status.free_bytes / 1e9:.0f} GB free")
    line = " · ".join(words)
    for more in (*status.marks, status.note):
        line += f"<br>{escape(more)}" if more else ""
    return f'<div class="worldarm">{line}</div>'
