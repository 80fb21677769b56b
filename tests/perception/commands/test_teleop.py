"""Recording from the page that moves the arm: started, kept, discarded and named there, with the arm's own states."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.dataset.reader import Dataset
from sim.world.panda import panda_spec
from tests.commands import running, worldarm
from tests.robot.driver.checks import steady
from tests.robot.driver.command import until
from tests.robot.web.page import Page

ANY = "tcp://127.0.0.1:*"
kinematics = Kinematics(panda_spec())


@pytest.mark.real_time
def test_what_is_kept_at_the_page_is_in_the_set_and_what_is_not_is_not(tmp_path: Path) -> None:
    picture, root = tmp_path / "picture.png", tmp_path / "set"
    cv2.imwrite(str(picture), np.full((64, 64, 3), 99, np.uint8))
    with (
        running("driver", "--arm", "sim", "--state-address", ANY, "--command-address", ANY) as driver,
        running("camera", "--source", str(picture), "--rate-hz", "30", "--frames-address", ANY) as camera,
    ):
        words = ("--command-address", driver.endpoint, "--camera", f"front={camera.endpoint}", "--port", "0")
        recording = ("--dataset", str(root), "--task", "wave", "--fps", "10")
        with running("teleop", "--device", "web", *words, *recording) as teleop:
            assert teleop.first_line.startswith("page: "), teleop.end()[2]
            with Page(teleop.first_line.split()[1]) as page:
                until(lambda: "<b>ready</b>" in page.text and "lease: <b>teleop web</b>" in page.text)
                page.press("Start")
                until(lambda: "<b>recording</b>" in page.text)
                page.hold("Up (U)", 1.0)
                page.press("Discard")
                until(lambda: "<b>ready</b>" in page.text)
                page.send("GuiUpdateMessage", uuid=page.part("task"), updates={"value": "wave up"})
                page.press("Start")
                until(lambda: "<b>recording</b>" in page.text)
                page.hold("Up (U)", 1.5)
                page.press("Keep")
                until(lambda: "1 kept" in page.text)
                page.press("Keep")
                until(lambda: any("Not now" in line for line in page.news))
                with Client(driver.endpoint, 5.0) as client:
                    # Who drives lets go of the arm for a reset, and has it again afterwards, the handle at the tool.
                    before = page.handle()
                    page.press("Reset the scene")
                    until(lambda: "the scene was reset" in page.text)
                    until(lambda: client.state().holder == "teleop web")
                    assert any("the scene is being reset; the arm holds" in line for line in page.news)
                    assert not page.shows("Drive from here")
                    tool = kinematics.position(np.array(steady(client).governed))
                    assert np.linalg.norm(tool - before) > 0.03
                    until(lambda: np.linalg.norm(tool - page.handle()) < 2e-3)
                    page.hold("Up (U)", 1.0)
                    assert kinematics.position(np.array(steady(client).governed))[2] > tool[2] + 0.005
                    # Whoever else has it is named, and keeps it.
                    page.press("Let go of the arm")
                    until(lambda: client.state().holder == "")
                    client.acquire("agent", 10.0)
                    until(lambda: "lease: <b>agent</b>" in page.text)
                    page.press("Reset the scene")
                    until(lambda: any("agent has the arm: end what moves it" in line for line in page.news))
                    assert client.state().holder == "agent"
    reader = Dataset.open(root)
    assert reader.info.total_episodes == 1
    (episode,) = reader.episodes
    assert tuple(episode.tasks) == ("wave up",) and episode.length > 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device", "web", "--dataset", "x"), "needs both"),
        (("--device", "keyboard", "--dataset", "x", "--task", "y"), "run `worldarm record` beside it"),
        (("--device", "web", "--silent-s", "0"), "--silent-s"),
        (("--device", "web", "--port", "70000"), "no driver answered"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = worldarm("teleop", "--command-address", "tcp://127.0.0.1:9", *words)
    assert result.returncode == 1 and said in result.stderr and len(result.stderr.splitlines()) == 1
