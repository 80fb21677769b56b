from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.perception.recording.lens import HEIGHT, WIDTH, Lens
from worldarm import main


@pytest.fixture(scope="module")
def lens():  # type: ignore[no-untyped-def]
    with Lens() as camera:
        yield camera


def test_a_picture_is_taken_and_never_over_another(
    lens: Lens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goal = tmp_path / "goals" / "goal.png"
    words = ["snap", "--output", str(goal), "--camera", lens.endpoint]
    assert main(words) == 0
    assert capsys.readouterr().out == f"snap: {goal}, {WIDTH}x{HEIGHT} from the camera front\n"
    picture = cv2.imread(str(goal))
    assert picture is not None and picture.shape == (HEIGHT, WIDTH, 3) and picture.std() == 0
    before = goal.read_bytes()
    assert main(words) == 1
    assert "exists already" in capsys.readouterr().err and goal.read_bytes() == before
    assert main([*words, "--overwrite"]) == 0


@pytest.mark.parametrize(("name", "said"), [("goal.gif", "end the name in one of"), ("goal", "end the name in one of")])
def test_names_of_no_picture_are_refused(
    name: str, said: str, lens: Lens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snap", "--output", str(tmp_path / name), "--camera", lens.endpoint]) == 1
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_without_a_camera_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--camera", "tcp://127.0.0.1:9", "--timeout-s", "0.2"]
    assert main(["snap", "--output", str(tmp_path / "goal.png"), *words]) == 1
    assert "no picture from tcp://127.0.0.1:9" in capsys.readouterr().err and not list(tmp_path.iterdir())
