"""`worldarm benchmark teleop`: from a pointer that moves in a browser to a set-point that does."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import msgspec
import numpy as np
import tyro
from tqdm import tqdm

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.benchmark.processes import PATIENCE_S, gone, running_driver, start
from robot.client.client import Client
from robot.errors import ArmError, ConfigurationError, ConnectionLost
from robot.system.files import require_writable, write_json
from robot.web.viewpoint import on_screen
from robot.wire import topics
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.benchmarks.browser import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTH, HEIGHT = 1280, 800
PAGE_PATIENCE_S = 240.0
"""Without a graphics card a page takes its time to come."""
ALONG_M = 0.14
"""Where on an arrow of the handle it is taken hold of."""
_DRAG_PX = 25.0
_SHOWN_S = 60.0
_LIT_PX, _YELLOW = 4, 25.0
_MOVES = 1e-4
_DRAG_PATIENCE_S = 5.0
_REST_S = 0.3
_DRAWN_HZ = """() => new Promise(done => {
    let drawn = 0, begun = performance.now();
    const next = () => {
        const seconds = (performance.now() - begun) / 1000;
        if (seconds > 3) done(drawn / seconds); else { drawn++; requestAnimationFrame(next); }
    };
    requestAnimationFrame(next);
})"""
_SELDOM = """
const draw = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => setTimeout(() => draw(callback), 80);
window.cancelAnimationFrame = clearTimeout;
"""
DRAWN = """() => new Promise(done => {
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50)));
})"""
"""What comes true once the page has been drawn anew."""
_LISTEN = """() => {
    window.told = null;
    const listen = () => { window.told ??= performance.timeOrigin + performance.now(); };
    window.addEventListener('pointermove', listen, {capture: true, once: true});
}"""
_TOLD = "() => window.told"
WANTED_P50_MS, WANTED_P99_MS = 60.0, 150.0


class DragLatency(msgspec.Struct, frozen=True):
    """Over `drags`, ms from the pointer's motion to the first set-point that it moved, and how much of it passed after
    the browser had told the page of the motion; `drawn_hz` is how often a second the browser drew, for it looks at the
    pointer no more often."""

    drags: int
    drawn_hz: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    told_p50_ms: float
    told_p99_ms: float


def benchmark_teleop(
    drags: Annotated[int, tyro.conf.arg(help="how often to drag")] = 50,
    arm: Annotated[str, tyro.conf.arg(help="the arm, as for `worldarm driver`")] = "sim",
    browser_path: Annotated[str | None, tyro.conf.arg(name="browser", help="Chromium, where not the system's own")] = (
        None
    ),
    silent_s: Annotated[float, tyro.conf.arg(help="as for `worldarm teleop`; without a graphics card, more")] = 5.0,
    json: Annotated[Path | None, tyro.conf.arg(help="write the numbers to this file")] = None,
) -> None:
    """Measure how long it takes from a pointer that drags the handle in a browser to the arm's set-point.

    Starts a driver, a teleoperation and a browser without a screen; the arm moves up and down by a few centimetres.
    """
    if drags < 1:
        raise ConfigurationError(f"--drags must be at least 1, not {drags}")
    if json is not None:
        require_writable(json)
    with tempfile.TemporaryDirectory(prefix="worldarm-") as folder:
        found = measure_drags(["--arm", arm], drags, Path(folder), browser_path, silent_s)
    print(
        f"pointer to set-point, {found.drags} drags: p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms, worst "
        f"{found.worst_ms:.0f} ms (wanted: {WANTED_P50_MS:.0f} and {WANTED_P99_MS:.0f}); the browser drew "
        f"{found.drawn_hz:.0f} times a second; from when it had told the page of the motion: p50 "
        f"{found.told_p50_ms:.0f} ms, p99 {found.told_p99_ms:.0f} ms"
    )
    if json is not None:
        write_json(json, msgspec.to_builtins(found))


def measure_drags(
    words: list[str], drags: int, folder: Path, executable: str | None = None, silent_s: float = 5.0
) -> DragLatency:
    """Drag so many times at the driver that `worldarm driver WORDS` starts.

    Raises `ArmError` when a process does not start, `ConfigurationError` without a browser, and `ConnectionLost` when
    the arm does not move.
    """
    with ExitStack() as parts:
        driver = parts.enter_context(running_driver(words, folder / "black-box"))
        options = ("--device", "web", "--port", "0", "--silent-s", f"{silent_s:g}", "--command-address", driver.command)
        teleop = start(("teleop", *options, "--speed", "0.5"))
        parts.callback(gone, teleop)
        assert teleop.stdout is not None and teleop.stderr is not None
        line = teleop.stdout.readline()
        if not line.startswith("page: "):
            teleop.kill()
            raise ArmError(f"the teleoperation did not start: {teleop.stderr.read().strip() or line.strip()}")
        client = parts.enter_context(driver.client())
        states = parts.enter_context(Subscription(driver.state, topics.STATE, JointState, 4096))
        page = open_page(parts.enter_context(browser(executable)), line.split()[1])
        wait_for(lambda: client.state(5.0).holder == "teleop web", PAGE_PATIENCE_S, "lease")
        kinematics = Kinematics(client.arm)
        drawn_hz = float(page.evaluate(_DRAWN_HZ))
        latencies = [
            _drag(page, client, states, kinematics, 1.0 if number % 2 == 0 else -1.0)
            for number in tqdm(range(drags), desc="drags", mininterval=0.5)
        ]
    whole, told = np.array(latencies).T
    found = (*np.percentile(whole, (50, 99)), whole.max(), *np.percentile(told, (50, 99)))
    return DragLatency(drags, round(drawn_hz, 1), *(round(float(each), 2) for each in found))


def open_page(started: Browser, url: str, size: tuple[int, int] = (WIDTH, HEIGHT), sparing: bool = False) -> Page:
    """Open the page at `url` in a window of `size` (width, height), and wait until it is there to be used. One that is
    `sparing` draws coarsely and a few times a second: without a graphics card it would take all cores for itself, and
    what it shows has deadlines."""
    page = started.new_page(viewport={"width": size[0], "height": size[1]}, device_scale_factor=0.5 if sparing else 1.0)
    if sparing:
        page.add_init_script(_SELDOM)
    page.set_default_timeout(1e3 * PAGE_PATIENCE_S)
    page.goto(url)
    page.get_by_text("STOP", exact=True).wait_for()
    return page


def take_hold(page: Page, client: Client, kinematics: Kinematics) -> tuple[float, float]:
    """Take hold of the handle's vertical arrow, and return the pixel where."""
    tool = kinematics.position(np.asarray(client.state(5.0).governed))
    return hold_handle(page, tool + (0.0, 0.0, ALONG_M))


def hold_handle(page: Page, place: Vector) -> tuple[float, float]:
    """Press the pointer's button where `place` (3,) m of the handle is seen, once the page shows by the handle's colour
    that the pointer is on it, and return the pixel. Raises `ConnectionLost` when it does not for long: a pointer that
    misses the handle would turn the view."""
    canvas = page.locator("canvas").last.bounding_box()
    assert canvas is not None
    x, y = on_screen(place, round(canvas["width"]), round(canvas["height"]))
    x, y = x + canvas["x"], y + canvas["y"]

    def on_it() -> bool:
        # A page notices what is under the pointer when it moves, and draws it the next time.
        for step in (3.0, 1.5, 0.0):
            page.mouse.move(x + step, y + step)
            page.evaluate(DRAWN)
        return _lit(page, x, y)

    wait_for(on_it, _SHOWN_S, "handle under the pointer")
    page.mouse.down()
    page.evaluate(DRAWN)
    return x, y


def _lit(page: Page, x: float, y: float) -> bool:
    """Whether what is drawn at a pixel is yellow, as is the part of the handle that the pointer is on."""
    clip = {"x": x - _LIT_PX, "y": y - _LIT_PX, "width": 2 * _LIT_PX, "height": 2 * _LIT_PX}
    drawn = cv2.imdecode(np.frombuffer(page.screenshot(clip=clip), np.uint8), cv2.IMREAD_COLOR)  # type: ignore[arg-type]
    assert drawn is not None
    blue, green, red = drawn.reshape(-1, 3).mean(axis=0)
    return bool(min(green, red) - blue > _YELLOW)


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `condition()`. Raises `ConnectionLost` that names `what` after so many `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ConnectionLost(f"no {what} within {seconds:g} s")
        time.sleep(0.01)


def _drag(
    page: Page, client: Client, states: Subscription[JointState], kinematics: Kinematics, upwards: float
) -> tuple[float, float]:
    """Drag once from rest, and return how long (ms) the set-point took to move, from the pointer's motion and from when
    the page was told of it."""
    x, y = take_hold(page, client, kinematics)
    wait_for(lambda: _rests(client.state(5.0)), PATIENCE_S, "rest")
    page.evaluate(_LISTEN)
    states.drain()
    states.history.clear()
    moved_ns = time.monotonic_ns()
    page.mouse.move(x, y - upwards * _DRAG_PX)

    def first() -> int:
        states.drain()
        return next((each.set_point_ns for each in states.history if each.time_ns > moved_ns and not _rests(each)), 0)

    try:
        wait_for(lambda: first() > 0, _DRAG_PATIENCE_S, "motion of the arm")
        set_point_ns = first()
        # The page's clock is the wall's.
        told_ns = 1e6 * float(page.evaluate(_TOLD)) - time.time_ns() + time.monotonic_ns()
        page.wait_for_timeout(1e3 * _REST_S)
    finally:
        page.mouse.up()
    wait_for(lambda: _rests(client.state(5.0)), PATIENCE_S, "rest")
    page.wait_for_timeout(1e3 * _REST_S)
    return 1e-6 * (set_point_ns - moved_ns), 1e-6 * (set_point_ns - told_ns)


def _rests(state: JointState) -> bool:
    return max(map(abs, state.governed_velocity)) < _MOVES
