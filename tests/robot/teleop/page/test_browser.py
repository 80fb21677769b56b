"""The page in a real browser: its handle is found by a real pointer, STOP by a real click, and it may be killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.benchmarks.browser import browser
from tests.benchmarks.teleop import HEIGHT, WIDTH, open_page, take_hold
from tests.commands import running as command
from tests.robot.driver.checks import SPEC, S, first_rest, now, steady
from tests.robot.driver.command import DriverProcess, until

# Three dimensions without a graphics card take seconds to come, and minutes beside other work.
pytestmark = [pytest.mark.real_time, pytest.mark.alone]

SILENT_S = 5.0


def tool(state: JointState) -> np.ndarray:
    return Kinematics(SPEC).position(np.array(state.governed))


def descendants(pid: int) -> Iterator[int]:
    """All processes below `pid`."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def drag(page: Page, client: Client, down_px: float, moved: Callable[[], bool]) -> None:
    """Drag the handle's vertical arrow by so many pixels until `moved()`. A browser that was held up counts as gone
    meanwhile, and its handle has to be let go of first: then once more, as a person would."""
    for _ in range(5):
        x, y = take_hold(page, client, Kinematics(SPEC))
        page.mouse.move(x, y + down_px)
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline:
            if moved():
                return
            page.wait_for_timeout(10.0)
        page.mouse.up()
    shown = page.locator("body").inner_text()
    raise AssertionError(f"the arm does not follow the handle: {now(client)}; the page shows {shown!r}")


def settled(client: Client) -> np.ndarray:
    """Wait until the tool has rested for half a second, and return where: what is held up moves it in pieces."""
    deadline = time.monotonic() + 60.0
    place = tool(steady(client))
    while time.monotonic() < deadline:
        time.sleep(0.5)
        before, place = place, tool(steady(client))
        if np.abs(place - before).max() < 1e-6:
            return place
    raise AssertionError("the arm does not come to rest")


def test_drag_stop_and_a_browser_that_is_killed(running: DriverProcess, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 99, np.uint8))
    frames = ("--frames-address", "tcp://127.0.0.1:*", "--rate-hz", "2", "--name", "desk")
    with command("camera", "--source", str(picture), *frames) as camera:
        words = ("--command-address", running.command, "--camera", camera.endpoint, "--port", "0", "--speed", "1")
        with (
            command("teleop", "--device", "web", "--silent-s", f"{SILENT_S:g}", *words) as teleop,
            running.client() as client,
            browser() as started,
        ):
            page = open_page(started, teleop.first_line.split()[1], sparing=True)
            until(lambda: now(client).holder == "teleop web")
            page.get_by_text("camera desk", exact=True).wait_for()
            begin = tool(steady(client))

            drag(page, client, -40.0, lambda: tool(now(client))[2] > begin[2] + 0.02)
            assert np.abs(settled(client) - begin)[:2].max() < 2e-3, "along the arrow alone"
            page.mouse.up()
            lifted = settled(client)
            time.sleep(0.3)
            assert np.abs(tool(steady(client)) - lifted).max() < 1e-3

            page.get_by_text("STOP", exact=True).click()
            until(lambda: now(client).mode == "stopped")
            page.get_by_text("Reset, take the lease").click()
            until(lambda: now(client).holder == "teleop web")

            page.set_viewport_size({"width": 820, "height": 1180})
            assert page.get_by_text("STOP", exact=True).is_visible()
            page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            page.wait_for_timeout(1000)

            drag(page, client, 200.0, lambda: tool(now(client))[2] < lifted[2] - 0.01)
            with Subscription(running.state, b"state", JointState, 50_000) as states:
                states.wait(10.0)
                killed_ns = time.monotonic_ns()
                for pid in list(descendants(os.getpid())):
                    if "chrom" in Path(f"/proc/{pid}/comm").read_text():
                        os.kill(pid, signal.SIGKILL)
                still = first_rest(states, killed_ns)
            until(lambda: now(client).holder == "")
            # Its connection was closed by that: no need to wait for it to stay silent.
            assert still.time_ns - killed_ns < 1.5 * S
