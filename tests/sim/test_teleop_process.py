"""Recording from the page that moves the arm: started, kept, discarded and named there, with the arm's own states."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from robot.dataset.reader import Dataset
from tests.commands import running, worldarm
from tests.robot.driver_command import until
from tests.robot.web.page import Page

pytestmark = pytest.mark.real_time

ANY = "tcp://127.0.0.1:*"


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
                page.press("Reset the scene")
                until(lambda: "the scene is new" in page.text)
                assert page.shows("Drive from here")
    reader = Dataset.open(root)
    assert reader.info.total_episodes == 1
    (episode,) = reader.episodes
    assert tuple(episode.tasks) == ("wave up",) and episode.length > 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--device", "web", "--dataset", "x"), "takes both"),
        (("--device", "keyboard", "--dataset", "x", "--task", "y"), "`worldarm record` records"),
        (("--device", "web", "--silent-s", "0"), "--silent-s"),
        (("--device", "web", "--port", "70000"), "no driver answered"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = worldarm("teleop", "--command-address", "tcp://127.0.0.1:9", *words)
    assert result.returncode == 1 and said in result.stderr and len(result.stderr.splitlines()) == 1
