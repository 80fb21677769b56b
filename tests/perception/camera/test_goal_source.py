from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.camera.goal_source import read_goal
from perception.camera.image_file import save_picture
from robot.errors import DatasetError, GoalError
from robot.wire.camera_spec import CameraSpec
from tests.robot.dataset.samples import CAMERA, columns, write

FRONT = CameraSpec("front", 16, 16, (20.0, 20.0), (8.0, 8.0))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("goals") / "play", 2)


@pytest.mark.parametrize(
    ("place", "episode", "frame"), [("0:0", 0, 0), ("1:2", 1, 2), ("1:-1", 1, 4), ("-1:-5", 1, 0), ("-2:3", 0, 3)]
)
def test_a_frame_of_a_data_set(dataset: Path, place: str, episode: int, frame: int) -> None:
    expected = columns(episode, 4 + episode)[CAMERA][frame]
    np.testing.assert_array_equal(read_goal(f"{dataset}:{place}", FRONT), expected)


def test_a_picture_in_a_file_even_when_its_name_looks_like_a_frame(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for name in ("goal.png", "run:3:4.png"):
        save_picture(tmp_path / name, picture)
        np.testing.assert_array_equal(read_goal(str(tmp_path / name), FRONT), picture)
    (tmp_path / "run:3:4.png").rename(tmp_path / "run:3:4")
    np.testing.assert_array_equal(read_goal(str(tmp_path / "run:3:4"), FRONT), picture)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("2:0", "has 2 episodes; 2 is not among them"),
        ("-3:0", "has 2 episodes; -3 is not among them"),
        ("0:4", "has 4 frames; 4 is not among them"),
        ("1:-6", "has 5 frames; -6 is not among them"),
    ],
)
def test_a_frame_that_is_not_there(dataset: Path, place: str, said: str) -> None:
    with pytest.raises(GoalError, match=said):
        read_goal(f"{dataset}:{place}", FRONT)


def test_a_data_set_that_is_no_use(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(GoalError, match="no pictures of the camera side"):
        read_goal(f"{dataset}:0:0", CameraSpec("side", 16, 16, (20.0, 20.0), (8.0, 8.0)))
    with pytest.raises(GoalError, match="are 16x16; the model sees camera front at 64x64"):
        read_goal(f"{dataset}:0:0", CameraSpec("front", 64, 64, (80.0, 80.0), (32.0, 32.0)))
    with pytest.raises(DatasetError):
        read_goal(f"{tmp_path}/nothing:0:0", FRONT)


def test_a_name_that_is_neither(tmp_path: Path) -> None:
    for name in ("nothing.png", "play:3", "play:three:4"):
        with pytest.raises(GoalError, match="there is no goal picture"):
            read_goal(str(tmp_path / name), FRONT)
