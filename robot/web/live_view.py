"""What every page shows: the moving arm, the cameras' pictures, and the age of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from html import escape

import cv2
import numpy as np
import viser
from numpy.typing import NDArray

from robot.client.followed_driver import FollowedDriver
from robot.errors import CameraError, WireError
from robot.web.arm_scene import ArmScene
from robot.web.feed import Feed
from robot.web.viewpoint import LOOK_AT, POSITION
from robot.wire import topics
from robot.wire.frame_image import picture_of
from robot.wire.messages import Frame, JointState
from robot.wire.same_camera import SameCamera
from robot.wire.subscription import Subscription

PAINTED_EVERY_S = 1.0 / 20.0
_UPDATE_S = 0.4
_WIDE = 320
"""Pictures narrower than this are enlarged with sharp pixel edges, as a model sees them."""
_SILENT_S = 1.0
_PANEL_PX = 220
_NARROW_PX = 1000

_STYLE = """<style>
.worldarm { padding: 0.2em 0.8em 0.6em; font-size: 0.9em; line-height: 1.5; font-variant-numeric: tabular-nums; }
.worldarm table { width: 100%; margin-top: 0.4em; }
.worldarm th, .worldarm td { text-align: right; font-weight: normal; }
.worldarm td:first-child { text-align: left; }
</style>"""

Image = NDArray[np.uint8]
Overlay = Callable[[Frame, Image], Image]
"""Takes a frame and its picture, enlarged by a whole number, and returns what is shown of it."""


class Live:
    """Fills the page of `server` with the arm of the followed `driver`, which it closes, and with the pictures from
    `cameras`.

    Of each address the pictures of the first camera are shown, and those of another one are not. For one thread, which
    calls `paint`. Parts that nobody looks at are not painted, and messages that come faster than they can be shown are
    dropped. Raises `ConfigurationError` for an invalid address.
    """

    def __init__(self, server: viser.ViserServer, driver: FollowedDriver, cameras: Sequence[str]) -> None:
        self._server = server
        self._driver = driver
        self.states: Feed[JointState] = Feed(driver)
        self.cameras: list[Feed[Frame]] = []
        self._same = [SameCamera(address) for address in cameras]
        try:
            for address, same in zip(cameras, self._same, strict=True):
                self.cameras.append(Feed(Subscription(address, topics.FRAME, Frame, admits=same)))
        except BaseException:
            self.close()
            raise
        self._wrong = [""] * len(cameras)
        self._shown_ns = [0] * len(cameras)
        self._shown_s = 0.0
        self._trouble = ""
        self.scene = ArmScene(server, driver.arm)
        server.gui.configure_theme(control_width="medium", show_logo=False, show_share_button=False)
        server.on_client_connect(_fit)
        self._status = server.gui.add_html(_styled("waiting for the arm's state"), order=20)
        self._pictures = []
        if cameras:
            panel = server.gui.add_panel()
            with panel.add_tab("Cameras"):
                self._pictures = [
                    server.gui.add_image(placeholder(), label=f"camera at {address}", jpeg_quality=85)
                    for address in cameras
                ]
            panel.float(x=10, y=10, width=_PANEL_PX)

    def paint(self, lines: Sequence[str] = (), overlay: Overlay | None = None) -> JointState | None:
        """Read and show the new messages, with the status `lines` above, and the cameras' pictures with the `overlay`;
        return the newest state of the arm, None before the first and while its driver is gone. Raises `OtherArm` when
        the driver came back with another arm."""
        try:
            self.states.drain()
            self._trouble = ""
        except WireError as error:
            self._trouble = str(error)
        watched = bool(self._server.get_clients())
        for number, camera in enumerate(self.cameras):
            self._see(number, camera, watched, overlay)
        state = self.states.newest
        if not watched:
            return state
        self.scene.show(not self._driver.gone)
        if state is not None:
            self.scene.draw(np.asarray(state.measured), state.gripper_width)
        if time.monotonic() - self._shown_s > _UPDATE_S:
            self._shown_s = time.monotonic()
            self._status.content = self._words(state, lines)
        return state

    def close(self) -> None:
        """Stop following; the page stays as it is."""
        self.states.close()
        for camera in self.cameras:
            camera.close()

    def _see(self, number: int, camera: Feed[Frame], watched: bool, overlay: Overlay | None) -> None:
        try:
            camera.drain()
            newest = camera.newest
            if newest is None or newest.time_ns == self._shown_ns[number] or not watched:
                return
            self._shown_ns[number] = newest.time_ns
            picture = enlarged(picture_of(newest))
            self._pictures[number].image = picture if overlay is None else overlay(newest, picture)
            self._pictures[number].label = newest.camera.name
            self._wrong[number] = ""
        except (CameraError, WireError) as error:
            self._wrong[number] = str(error)

    def _words(self, state: JointState | None, lines: Sequence[str]) -> str:
        words = [*lines]
        if self._trouble:
            words.append(strong(self._trouble))
        elif self._driver.gone:
            words.append(strong(self._driver.gone))
        elif state is None or self.states.age_s > _SILENT_S:
            words.append(f"{strong('the driver is silent')}: no state from {escape(self.states.address)}")
        rows = [_row("arm", self.states)]
        for number, camera in enumerate(self.cameras):
            name = camera.newest.camera.name if camera.newest is not None else camera.address
            rows.append(_row(f"camera {name}", camera))
            wrong = self._same[number].other or self._wrong[number]
            if wrong:
                words.append(strong(wrong))
        if self.scene.lacking:
            words.append(f"drawn by its collision capsules: {escape(self.scene.lacking)}")
        return _styled(
            "<br>".join(words) + f"<table><tr><th></th><th>rate</th><th>age</th></tr>{''.join(rows)}</table>"
        )


def _fit(page: viser.ClientHandle) -> None:
    """Leave room for the arm on a tablet: narrower controls, and a more distant view in portrait orientation."""
    width, height = page.camera.image_width, page.camera.image_height
    if width < _NARROW_PX:
        page.gui.configure_theme(control_width="small", show_logo=False, show_share_button=False)
    if height > width:
        back = np.subtract(POSITION, LOOK_AT) * (height / width)
        page.camera.position = np.add(LOOK_AT, back)
        page.camera.look_at = np.asarray(LOOK_AT)


def mode_of(state: JointState) -> str:
    """Return the driver's mode and the lease holder, as HTML."""
    why = f" ({escape(state.reason)})" if state.reason and state.mode != "active" else ""
    return f"{strong(state.mode)}{why} · lease: {strong(state.holder or 'free')}"


def strong(words: str) -> str:
    """Return `words`, which may come from another machine, escaped, as bold HTML."""
    return f"<b>{escape(words)}</b>"


def enlarged(picture: Image) -> Image:
    """Return a small picture (H, W, 3) enlarged by a whole number; a large one unchanged."""
    times = -(-_WIDE // picture.shape[1])
    if times <= 1:
        return picture
    size = (times * picture.shape[1], times * picture.shape[0])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def placeholder() -> Image:
    """Return the picture that is shown until the first one has come."""
    return np.full((_WIDE * 3 // 4, _WIDE, 3), 225, np.uint8)


def _row(name: str, feed: Feed[JointState] | Feed[Frame]) -> str:
    age = "–" if feed.newest is None else f"{1e3 * feed.age_s:.0f} ms" if feed.age_s < 10 else f"{feed.age_s:.0f} s"
    return f"<tr><td>{escape(name)}</td><td>{feed.rate_hz:.0f} Hz</td><td>{age}</td></tr>"


def _styled(content: str) -> str:
    return f'<div class="worldarm">{_STYLE}{content}</div>'
