"""Moving the arm from a page: what is held moves it, who drives is told, and a page that is gone holds nothing."""

import contextlib
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription
from tests.commands import Running
from tests.commands import running as command
from tests.robot.driver.checks import SPEC, S, assert_no_jump, first_rest, now, steady
from tests.robot.driver.command import DriverProcess, until
from tests.robot.web.page import Page

pytestmark = pytest.mark.real_time

KINEMATICS = Kinematics(SPEC)


def tool(state: JointState) -> np.ndarray:
    return KINEMATICS.position(np.array(state.governed))


@contextlib.contextmanager
def teleop(driver: DriverProcess, *words: str) -> Iterator[tuple[Running, str]]:
    """`worldarm teleop --device web`, and where its page is."""
    options = ("--device", "web", "--port", "0", "--speed", "1", "--command-address", driver.command, *words)
    with command("teleop", *options) as process:
        assert process.first_line.startswith("page: "), process.first_line + process.end()[2]
        yield process, process.first_line.split()[1]


@pytest.fixture(scope="module")
def served(shared: DriverProcess) -> Iterator[str]:
    """One teleoperation for the tests that leave it as they found it."""
    with teleop(shared) as (process, url):
        yield url
        assert process.process.poll() is None, process.end()


@pytest.fixture
def url(running: DriverProcess, served: str) -> str:
    return served


def driving(url: str, driver: DriverProcess) -> Page:
    """A new page that drives and has the lease, whatever has been before."""
    page = Page(url)
    until(lambda: "You drive" in page.text)
    page.press("Reset")
    with driver.client() as client:
        until(lambda: now(client).holder == "teleop web")
    return page


def carry_off(page: Page, client: Client) -> None:
    """Drag the handle far up, or down when the arm is high already, until the arm is on its way. A session that was
    held up meanwhile wants it to be let go of first: then once more."""
    for _ in range(10):
        x, y, z = page.grab()
        page.drag(x, y, z + (0.25 if z < 0.4 else -0.25))
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            if abs(tool(now(client))[2] - z) > 0.02:
                return
        page.drop()
        time.sleep(0.5)
    raise AssertionError("the arm does not follow the handle")


def test_the_arm_follows_the_handle_while_it_is_held_and_rests_once_it_is_let_go(
    running: DriverProcess, url: str
) -> None:
    with running.client() as client, Subscription(running.state, b"state", JointState, 50_000) as states:
        with driving(url, running) as page:
            begin = tool(steady(client))
            x, y, z = page.grab()
            assert np.abs(begin - (x, y, z)).max() < 2e-3
            goal = np.array((x + 0.05, y + 0.04, z + 0.03))
            page.drag(*goal.tolist())
            until(lambda: np.abs(tool(now(client)) - goal).max() < 1e-3)
            page.drag(x, y, z + 0.2)
            until(lambda: tool(now(client))[2] > goal[2] + 0.02)
            page.drop()
            rested = tool(steady(client))
            assert rested[2] < z + 0.15
            until(lambda: np.abs(np.array(page.handle()) - rested).max() < 2e-3)
        until(lambda: now(client).holder == "")
        states.drain()
        assert_no_jump(list(states.history))
        assert not any(state.clamps for state in states.history)


def test_the_handle_turns_the_tool_too(running: DriverProcess, url: str) -> None:
    with running.client() as client, driving(url, running) as page:
        begin = KINEMATICS.forward(np.array(steady(client).governed))
        x, y, z = page.grab()
        half = 0.15
        page.drag(x, y, z, (float(np.cos(half)), 0.0, 0.0, float(np.sin(half))))

        def turned() -> float:
            rotation = KINEMATICS.forward(np.array(now(client).governed)).rotation @ begin.rotation.T
            return float(np.arctan2(rotation[1, 0], rotation[0, 0]))

        until(lambda: abs(turned() - 2 * half) < 5e-3)
        page.drop()


def test_buttons_and_keys_move_it_while_they_are_held(running: DriverProcess, url: str) -> None:
    with running.client() as client, driving(url, running) as page:
        begin = tool(steady(client))
        page.hold("Up (U)", 0.6)
        moved = tool(steady(client)) - begin
        assert moved[2] > 0.01 and np.abs(moved[:2]).max() < 1e-3
        page.hold("Close (C)", 0.5)
        steady(client)
        assert now(client).gripper_command < 0.08
        up = tool(now(client))[2]
        page.key("Down")
        until(lambda: tool(now(client))[2] < up - 1e-3)


def test_stop_works_from_every_page_and_only_who_drives_goes_on(running: DriverProcess, url: str) -> None:
    with running.client() as client, driving(url, running) as first, Page(url) as second:
        until(lambda: "You watch" in second.text and re.search(r"page \d+ drives", second.text))
        assert not second.shows("speed")
        carry_off(first, client)
        second.press("STOP")
        until(lambda: now(client).mode == "stopped")
        assert "teleop web" not in now(client).holder
        second.press("Reset")  # which is not its to press
        second.press("Drive")
        until(lambda: any("let go of the arm there first" in line for line in second.news))
        assert now(client).mode == "stopped"
        first.drop()
        first.press("Reset")
        until(lambda: now(client).mode == "active")
        first.press("Let go")
        until(lambda: now(client).holder == "")
        second.press("Drive")
        until(lambda: now(client).holder == "teleop web" and "You watch" in first.text)
        first.key("Stop (space)")
        until(lambda: now(client).mode == "stopped")


def test_stop_works_while_another_has_the_lease(running: DriverProcess, url: str) -> None:
    with running.client() as client, running.client() as agent:
        agent.acquire("agent", 5.0)
        with Page(url) as page:
            until(lambda: "agent has" in " ".join(page.news) or "agent" in page.text)
            page.press("STOP")
            until(lambda: now(client).mode == "stopped")


@pytest.mark.parametrize("how", ["closed", "asleep"])
def test_a_page_that_is_gone_holds_nothing(running: DriverProcess, url: str, how: str) -> None:
    with running.client() as client, driving(url, running) as page:
        steady(client)
        carry_off(page, client)
        with Subscription(running.state, b"state", JointState, 50_000) as states:
            states.wait(10.0)
            gone_ns = time.monotonic_ns()
            if how == "closed":
                page.close()
            else:
                page.awake = False
            still = first_rest(states, gone_ns, free=True)
        # 0.7 s of silence, 0.12 s of waypoints and rounding, and turns that are late.
        assert still.time_ns - gone_ns < (1.0 if how == "closed" else 2.0) * S
        if how == "asleep":
            page.awake = True
            until(lambda: now(client).holder == "teleop web")
            assert np.abs(tool(steady(client)) - tool(still)).max() < 1e-3, "it went on without being let go of"
            page.drop()


def test_the_page_shows_cameras_and_says_who_has_the_lease(running: DriverProcess, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 99, np.uint8))
    cameras = ("--frames-address", "tcp://127.0.0.1:*", "--width", "64", "--height", "48", "--name", "<desk>")
    with (
        command("camera", "--source", str(picture), *cameras) as camera,
        teleop(running, "--camera", camera.endpoint) as (_, url),
        driving(url, running) as page,
    ):
        until(lambda: "camera &lt;desk&gt;" in page.text and "lease: <b>teleop web</b>" in page.text)
        until(lambda: any(part.get("label") == "<desk>" for part in list(page.parts.values())))


def test_sigint_ends_it_and_the_arm_holds(running: DriverProcess) -> None:
    with running.client() as client, teleop(running) as (process, url), driving(url, running) as page:
        carry_off(page, client)
        status, _, error = process.end(signal.SIGINT)
        assert (status, error) == (130, "worldarm: interrupted\n")
        until(lambda: now(client).holder == "")
        steady(client)
