"""Picture files that were made to harm: small, and immense once decoded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hostile import told_by
from tests.robot.system.test_picture_header import png_bomb

GOAL = (
    "from pathlib import Path\nfrom perception.camera.image_file import load_goal\n"
    "from robot.wire.camera_spec import CameraSpec\nspec = CameraSpec('front', 64, 48, (1.0, 1.0), (0.0, 0.0))"
)
STILL = (
    "from pathlib import Path\nfrom perception.camera.file_camera import StillCamera\n"
    "from perception.camera.interface import CameraOptions\noptions = CameraOptions(width=32, height=24, rate_hz=5.0)"
)
BOARD = "from pathlib import Path\nfrom perception.calibration.pictures import read_pictures"
FRAME = (
    "from pathlib import Path\nfrom robot.wire.camera_spec import CameraSpec\n"
    "from robot.wire.frame_image import picture_of\n"
    "from robot.wire.messages import Frame\ncamera = CameraSpec('front', 64, 48, (1.0, 1.0), (0.0, 0.0))"
)
READERS = {
    "goal": (GOAL, "load_goal(Path({path!r}), spec)", "GoalError"),
    "still": (STILL, "StillCamera(Path({path!r}), options).start()", "CameraError"),
    "board": (BOARD, "list(read_pictures([Path({path!r})]))", "Error"),
}


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bomb") / "goal.png"
    path.write_bytes(png_bomb(16_000, 16_000))
    assert path.stat().st_size < 1_000_000
    return path


@pytest.mark.parametrize("reader", READERS)
def test_a_bomb_is_not_decoded(bomb: Path, reader: str) -> None:
    imports, code, error = READERS[reader]
    said = told_by(imports, code.format(path=str(bomb)), 60)
    assert error in said and "says that it has 16000x16000 pixels" in said


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_not_waited_for(tmp_path: Path, reader: str) -> None:
    imports, code, error = READERS[reader]
    os.mkfifo(tmp_path / "goal.png")
    said = told_by(imports, code.format(path=str(tmp_path / "goal.png")), 60)
    assert error in said and "is not a file" in said


def test_a_frame_of_another_size_than_it_says_is_not_decoded(bomb: Path) -> None:
    code = f"picture_of(Frame(0, 0, camera, 'jpeg', Path({str(bomb)!r}).read_bytes()))"
    assert "says that it has 16000x16000 pixels" in told_by(FRAME, code, 60)
