"""The web page of a teleoperation, updated in a thread beside the session that moves the arm."""

from __future__ import annotations

import threading
import time
import warnings
from html import escape
from types import TracebackType

import numpy as np
import viser

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.followed_driver import FollowedDriver
from robot.teleop.input import Press
from robot.teleop.page.controls import Controls
from robot.teleop.page.open_pages import Pages
from robot.teleop.page.recording import RecordingControls
from robot.teleop.recording_interface import Recording
from robot.teleop.session import Console, View
from robot.teleop.speed_limits import Dial
from robot.web.heartbeat import watch
from robot.web.live_view import PAINTED_EVERY_S, Live, mode_of, strong
from robot.web.server import PageServer
from robot.wire.messages import JointState

_NEWS_S = 8.0
_DRIVER_S = 2.0


class WebPage:
    """Serves the pages of one teleoperation over `server` until closed, and is its console in addition to `other`.

    It reports to `pages` what is held, and controls `recording` where there is one. It updates the pages in a thread of
    its own; `show` raises the errors of that thread.
    """

    def __init__(
        self,
        server: PageServer,
        client: Client,
        cameras: tuple[str, ...],
        pages: Pages,
        dial: Dial,
        other: Console,
        recording: Recording | None = None,
    ) -> None:
        self._server = server.viser
        self._pages, self._dial, self._other = pages, dial, other
        self._live = Live(self._server, FollowedDriver(client.command_address, timeout_s=_DRIVER_S), cameras)
        self._kinematics = Kinematics(client.arm)
        self._recording = recording
        self._controls: dict[int, Controls] = {}
        self._recorders: dict[int, RecordingControls] = {}
        self._lock = threading.Lock()
        self._view: View | None = None
        self._failed: BaseException | None = None
        self._ended = threading.Event()
        self._server.on_client_connect(self._opened)
        self._server.on_client_disconnect(self._closed)
        self._thread = threading.Thread(target=self._paint, name="page", daemon=True)
        self._thread.start()

    # ---------------------------------------------------------------- the session's console

    def presses(self, now_ns: int) -> tuple[Press, ...]:
        """Return the presses at the other console; those on a page come through the device."""
        return self._other.presses(now_ns)

    def tell(self, line: str) -> None:
        """Show a message on every open page and at the other console."""
        self._other.tell(line)
        for page in self._server.get_clients().values():
            page.add_notification("", line, auto_close_seconds=_NEWS_S)

    def show(self, view: View) -> None:
        """Show the state soon; raises an error of the updating thread."""
        self._view = view
        self._other.show(view)
        if self._failed is not None:
            raise self._failed

    # ---------------------------------------------------------------- pages

    def _opened(self, page: viser.ClientHandle) -> None:
        controls = Controls(page, self._pages, self._dial.share, self._dial.set)
        self._pages.opened(page.client_id, time.monotonic_ns())
        recorder = None
        if self._recording is not None:
            recorder = RecordingControls(page, self._recording, self._pages, self._lease)
        with self._lock:
            self._controls[page.client_id] = controls
            if recorder is not None:
                self._recorders[page.client_id] = recorder
        watch(self._server, page, self._pages.silent_s, lambda now_ns: self._pages.heard(page.client_id, now_ns))

    async def _closed(self, page: viser.ClientHandle) -> None:
        self._pages.closed(page.client_id)
        with self._lock:
            self._controls.pop(page.client_id, None)
            self._recorders.pop(page.client_id, None)

    def _lease(self) -> str:
        return "" if self._view is None else self._view.lease

    def _paint(self) -> None:
        # A page may close while it is updated; the warning about that is of no use.
        warnings.filterwarnings("ignore", message="Queued a .* on a closed connection")
        try:
            while not self._ended.wait(PAINTED_EVERY_S):
                state = self._live.paint(self._lines())
                tool = None if state is None else self._kinematics.position(_governed(state))
                with self._lock:
                    controls, recorders = list(self._controls.values()), list(self._recorders.values())
                for each in controls:
                    each.show(tool, self._dial.share)
                if self._recording is not None and recorders:
                    status = self._recording.status()
                    for recorder in recorders:
                        recorder.show(status)
        except BaseException as error:  # noqa: BLE001 - raised in the session's thread
            self._failed = error

    def _lines(self) -> list[str]:
        view, state = self._view, self._live.states.newest
        return [] if view is None or state is None else status_lines(view, state)

    def close(self) -> None:
        """Stop painting."""
        self._ended.set()
        self._thread.join(5.0)
        self._live.close()

    def __enter__(self) -> WebPage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def status_lines(view: View, state: JointState) -> list[str]:
    """Return what a page says of the session and of the arm's state, as HTML: what comes from the driver is escaped."""
    x, y, z = view.tool
    lines = [
        mode_of(state),
        f"tool {x:+.3f} {y:+.3f} {z:+.3f} m · {100 * view.speed:.1f} cm/s of {100 * view.share:.0f} % · gripper "
        f"{1e3 * view.gripper_width:.0f} mm · {view.rate_hz:.0f} commands/s",
    ]
    if view.note:
        lines.append(strong(view.note))
    if view.slowed:
        lines.append(f"slowed: {escape(', '.join(view.slowed))}")
    if view.clamps:
        lines.append(f"clamped: {escape(', '.join(view.clamps))}")
    return lines


def _governed(state: JointState) -> Vector:
    return np.asarray(state.governed)
