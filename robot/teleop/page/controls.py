"""The controls of one page: a handle on the tool, buttons and keys that move the arm, and STOP, which always works."""

from __future__ import annotations

import time
from collections.abc import Callable

import viser
from viser import GuiButtonHandle, TransformControlsEvent

from robot.arm.interface import Vector
from robot.teleop.input import Press
from robot.teleop.page.open_pages import Pages, Place
from robot.teleop.speed_limits import SLOWEST

HANDLE = "/handle"
HANDLE_LENGTH_M = 0.3
"""Length of the handle's arrows, m."""
STOP, DRIVE, LET_GO, RESET, HOME = "STOP", "Drive from here", "Let go of the arm", "Reset, take the lease", "Home"
MOTIONS: tuple[tuple[str, str, int, int], ...] = (
    ("Forward", "I", 0, 1),
    ("Back", "K", 0, -1),
    ("Left", "J", 1, 1),
    ("Right", "L", 1, -1),
    ("Up", "U", 2, 1),
    ("Down", "O", 2, -1),
    ("Turn left", "N", 3, 1),
    ("Turn right", "M", 3, -1),
    ("Open", "V", 4, 1),
    ("Close", "C", 4, -1),
)
"""Button, key, axis (x, y, z, yaw, gripper) and direction."""
_HELD_HZ = 20.0
_STOP_KEYS = ("space", "escape")
_MOVED_M = 1e-4

# Large enough for a thumb, two in a row; and the one red button, STOP, larger.
STYLE = """<style>
.mantine-Button-root { height: 2.9em !important; padding: 0 0.3em; touch-action: none; user-select: none; }
.mantine-Button-root[style*="-red-"] { height: 4.2em !important; font-size: 1.25em; font-weight: 800; }
div:has(> div > .mantine-Button-root[style*="-teal-"]) {
    display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
}
</style>"""


class Controls:
    """The controls on `page`. They report to `pages` what is held, and call `speed` with the slider's share."""

    def __init__(self, page: viser.ClientHandle, pages: Pages, share: float, speed: Callable[[float], None]) -> None:
        self._page = page
        self._pages = pages
        self._speed = speed
        self._at: Vector | None = None
        gui, number = page.gui, page.client_id
        self._stop = gui.add_button(
            STOP, color="red", order=1, hint="brings the arm to rest, whichever client moves it"
        )
        self._drive = gui.add_button(DRIVE, color="blue", order=2, visible=False)
        self._status_html = gui.add_html(STYLE, order=3)
        self._slider = gui.add_slider(
            "speed %",
            min=round(100 * SLOWEST),
            max=100,
            step=5,
            initial_value=round(100 * share),
            order=9,
            visible=False,
        )
        self._driving = gui.add_folder("Move", order=10, visible=False)
        with self._driving:
            for label, key, axis, direction in MOTIONS:
                button = gui.add_button(f"{label} ({key})", color="teal")
                self._moves(button, axis, direction)
        self._arm_folder = gui.add_folder("Arm", order=11, visible=False)
        with self._arm_folder:
            reset = gui.add_button(RESET, color="gray")
            home = gui.add_button(HOME, color="gray")
            leave = gui.add_button(LET_GO, color="gray")
        self._presses(self._stop, Press.STOP)
        self._presses(reset, Press.RESET)
        self._presses(home, Press.HOME)
        self._handle = page.scene.add_transform_controls(
            HANDLE, HANDLE_LENGTH_M, line_width=3.0, depth_test=False, visible=False
        )

        async def take(_: viser.GuiEvent[GuiButtonHandle]) -> None:
            why_not = pages.drive(number, time.monotonic_ns())
            if why_not:
                page.add_notification("Not now", why_not, auto_close_seconds=5.0, color="orange")

        async def let_go(_: viser.GuiEvent[GuiButtonHandle]) -> None:
            pages.leave(number)

        async def faster(_: viser.GuiEvent[viser.GuiSliderHandle[int]]) -> None:
            if pages.driver == number:
                speed(self._slider.value / 100.0)

        self._drive.on_click(take)
        leave.on_click(let_go)
        self._slider.on_update(faster)
        self._handle.on_update(self._dragged)
        self._keys()

    def show(self, tool: Vector | None, share: float) -> None:
        """Update the page: which page drives, the speed's `share`, and the handle at the `tool` (3,) m unless it is
        being dragged."""
        number, driver = self._page.client_id, self._pages.driver
        mine = driver == number
        if self._drive.visible == mine:
            self._drive.visible = not mine
        for part in (self._slider, self._driving, self._arm_folder, self._handle):
            if part.visible != mine:
                part.visible = mine
        status = (
            f"You drive, as page {number}."
            if mine
            else f"You watch, as page {number}; " + ("nobody drives." if driver is None else f"page {driver} drives.")
        )
        status = f'{STYLE}<div class="worldarm">{status}</div>'
        if self._status_html.content != status:
            self._status_html.content = status
        if mine and round(100 * share) != self._slider.value:
            self._slider.value = round(100 * share)  # type: ignore[misc]
        if tool is None or self._pages.dragged(number):
            self._at = None
        elif self._at is None or max(abs(tool - self._at)) > _MOVED_M:
            self._at = tool
            self._handle.position, self._handle.wxyz = tool, (1.0, 0.0, 0.0, 0.0)

    def _moves(self, button: GuiButtonHandle, axis: int, direction: int) -> None:
        async def held(_: viser.GuiEvent[GuiButtonHandle]) -> None:
            self._pages.hold(self._page.client_id, axis, direction, time.monotonic_ns())

        button.on_hold(held, callback_hz=_HELD_HZ)

    def _presses(self, button: GuiButtonHandle, press: Press) -> None:
        async def pressed(_: viser.GuiEvent[GuiButtonHandle]) -> None:
            self._pages.press(self._page.client_id, press)

        button.on_click(pressed)

    def _keys(self) -> None:
        number, pages = self._page.client_id, self._pages

        async def stop(_: viser.CommandEvent) -> None:
            pages.press(number, Press.STOP)

        for stop_key in _STOP_KEYS:
            self._page.gui.add_command(f"Stop ({stop_key})", hotkey=stop_key).on_trigger(stop)  # type: ignore[arg-type]
        for label, key, axis, direction in MOTIONS:

            async def held(_: viser.CommandEvent, axis: int = axis, direction: int = direction) -> None:
                pages.hold(number, axis, direction, time.monotonic_ns())

            self._page.gui.add_command(label, hotkey=key).on_trigger(held)  # type: ignore[arg-type]

    async def _dragged(self, event: TransformControlsEvent) -> None:
        number, handle = self._page.client_id, event.target
        if event.phase == "end":
            self._pages.drop(number)
            return
        x, y, z = (float(each) for each in handle.position)
        w, qx, qy, qz = (float(each) for each in handle.wxyz)
        place: Place = ((x, y, z), (qx, qy, qz, w))
        if event.phase == "start":
            self._pages.grab(number, place)
        else:
            self._pages.drag(number, place)
