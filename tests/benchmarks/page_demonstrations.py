"""Demonstrations at the real page, of the simulated arm: driver, camera, teleoperation and browser as a user has
them, and a scripted hand at the pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.embodiment.actions import TOOL_CONVENTIONS, ToolConventionName
from robot.wire.camera_spec import CameraSpec, Images
from sim.execution.processes import Addresses, SimulatedProcesses, WorldarmProcess
from tests.benchmarks.browser import browser
from tests.benchmarks.demonstrator import Demonstrator
from tests.benchmarks.page_pointer import HEIGHT, WIDTH, PageHand
from tests.benchmarks.teleop import PAGE_PATIENCE_S, open_page, wait_for

RATE_HZ = 30
SILENT_S = 5.0
"""A page that draws a few times a second answers late."""
_PAGE = re.compile(r"page: (\S+)")
_CLIENT_S = 10.0


@contextmanager
def page_hand(
    where: Addresses,
    dataset: Path,
    task: str,
    camera: str,
    actions: ToolConventionName,
    images: Images = "png",
    max_speed: float = 0.25,
    executable: str | None = None,
) -> Iterator[PageHand]:
    """Run `worldarm teleop --device web` for the processes that are at `where`, recording into `dataset`, and a
    browser; yield a hand at its page, which has the lease.

    Raises `ConnectionLost` when that does not come up, and `ConfigurationError` without a browser.
    """
    with ExitStack() as parts:
        words = ("teleop", "--device", "web", "--port", "0", "--silent-s", f"{SILENT_S:g}", "--speed", "1")
        record = ("--dataset", str(dataset.absolute()), "--task", task, "--actions", actions, "--images", images)
        addresses = ("--command-address", where.command, "--camera", f"{camera}={where.frames}")
        fast = ("--max-speed", f"{max_speed:g}", "--fps", str(RATE_HZ))
        teleop = WorldarmProcess((*words, *addresses, *record, *fast))
        parts.callback(teleop.stop)
        (url,) = teleop.found(_PAGE, seconds=PAGE_PATIENCE_S)
        client = parts.enter_context(Client(where.command, _CLIENT_S))
        page = open_page(parts.enter_context(browser(executable)), url, (WIDTH, HEIGHT), sparing=True)
        hand = PageHand(page, client, Kinematics(client.arm))
        wait_for(hand.drives, PAGE_PATIENCE_S, "lease for the page")
        yield hand


def record_demonstrations(
    dataset: Path,
    count: int,
    seconds: float,
    camera: CameraSpec,
    actions: ToolConventionName,
    seed: int,
    first: int = 0,
    executable: str | None = None,
) -> int:
    """Have the scripted hand record the demonstrations from `first` to `count`, of so many `seconds` of moving about
    each; return how many were discarded. Raises as `page_hand` and `Demonstrator.demonstrate`."""
    discarded = 0
    task = "move about, then reach a place"
    with (
        SimulatedProcesses(camera, RATE_HZ) as where,
        page_hand(where, dataset, task, camera.name, actions, executable=executable) as hand,
    ):
        rng = np.random.default_rng([seed, first])
        demonstrator = Demonstrator(hand, TOOL_CONVENTIONS[actions].bounds, rng)
        bar = tqdm(range(first, count), desc="demonstrations", unit="episode", initial=first, total=count)
        for _ in bar:
            discarded += demonstrator.demonstrate(seconds)
            bar.set_postfix_str(f"{discarded} discarded")
    return discarded
