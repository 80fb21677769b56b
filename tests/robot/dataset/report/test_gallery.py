"""The page shows every episode by itself: pictures, task, length and quality, and nothing is fetched."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.format.recorder_columns import FRAME_LATE, MARKS
from robot.dataset.report.gallery import HEIGHT, STRIP, strip
from tests.commands import in_process
from tests.robot.dataset.samples import CAMERA, FPS, columns, features, write

TASK = 'push <b>the</b> "größte" & last'


class Page(HTMLParser):
    """What a browser would see: texts, pictures, and everything that is asked for from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.pictures: list[bytes] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href"):
                assert value is not None and value.startswith("data:image/jpeg;base64,")
                self.pictures.append(base64.b64decode(value.partition(",")[2]))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("picture", ["image", "video"])
def test_every_episode_is_on_the_page(tmp_path: Path, picture: str) -> None:
    root = tmp_path / "set"
    with DatasetWriter.create(root, FPS, features(picture), "panda", durable=False) as writer:
        writer.save_episode(columns(0, 12), TASK, {MARKS: []})
        writer.save_episode(columns(1, 2), "wait", {MARKS: [FRAME_LATE]})
    path = tmp_path / "deep/page.html"
    result = in_process("dataset", "gallery", str(root), "--output", str(path))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{path}: 2 episodes, {round(path.stat().st_size / 1e3)} kB")
    text = path.read_text()
    page = Page(text)
    words = " ".join(page.texts)
    assert TASK in words and "1.5 s, 12 frames" in words and FRAME_LATE in words
    assert text.count("class=doubted") == 1
    assert not {"script", "link", "iframe", "b"} & set(page.tags) and not re.search(r"https?:|url\(|@import", text)
    assert len(page.pictures) == 2
    for data, count in zip(page.pictures, (STRIP, 2), strict=True):
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None and decoded.shape == (HEIGHT, count * HEIGHT, 3)


@pytest.mark.parametrize("picture", ["image", "video"])
def test_a_strip_goes_from_the_first_frame_to_the_last(tmp_path: Path, picture: str) -> None:
    dataset = Dataset.open(write(tmp_path / "set", 3, picture))
    frames = dataset.episode(2)[CAMERA]
    shown = strip(dataset, 2, CAMERA).reshape(HEIGHT, STRIP, HEIGHT, 3).swapaxes(0, 1)
    for number in range(STRIP):  # six frames: each of them
        np.testing.assert_array_equal(shown[number][3::6, 3::6], frames[number])


def test_a_page_of_another_name_is_refused(tmp_path: Path) -> None:
    result = in_process("dataset", "gallery", str(write(tmp_path / "set", 1)), "--output", str(tmp_path / "page.pdf"))
    assert result.returncode == 1 and "must end in .html" in result.stderr
