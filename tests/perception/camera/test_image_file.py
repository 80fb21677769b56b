from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.camera.image_file import load_goal, save_picture
from robot.errors import GoalError
from robot.wire.camera_spec import CameraSpec
from tests.commands import on_a_full_disk

SPEC = CameraSpec("front", 64, 48, (60.0, 60.0), (32.0, 24.0))


def noise(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(width=st.integers(1, 80), height=st.integers(1, 80), seed=st.integers(0, 2**32 - 1))
def test_a_png_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, width: int, height: int, seed: int) -> None:
    path = tmp_path_factory.mktemp("goal") / "goal.png"
    image = noise(height, width, seed)
    save_picture(path, image)
    read = load_goal(path, CameraSpec("front", width, height, (60.0, 60.0), (0.0, 0.0)))
    np.testing.assert_array_equal(read, image)
    assert read.dtype == np.uint8
    assert [child.name for child in path.parent.iterdir()] == ["goal.png"]


def test_red_stays_red_in_any_format(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    for suffix in (".png", ".jpg", ".JPEG"):
        save_picture(tmp_path / f"goal{suffix}", image)
        assert np.abs(load_goal(tmp_path / f"goal{suffix}", SPEC).astype(int) - image).max() <= 4


def test_grey_transparent_and_deep_pictures_become_rgb(tmp_path: Path) -> None:
    deep = np.full((48, 64, 3), 0x8080, np.uint16)
    for name, image in {
        "grey": np.full((48, 64), 128, np.uint8),
        "alpha": np.full((48, 64, 4), 128, np.uint8),
        "deep": deep,
    }.items():
        path = tmp_path / f"{name}.png"
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        np.testing.assert_array_equal(load_goal(path, SPEC), np.full((48, 64, 3), 128, np.uint8))


def test_a_missing_picture(tmp_path: Path) -> None:
    with pytest.raises(GoalError, match=r"there is no goal picture .*goal\.png"):
        load_goal(tmp_path / "goal.png", SPEC)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(GoalError, match="cannot be read"):
        load_goal(tmp_path, SPEC)


@pytest.mark.parametrize("data", [b"", b"a text", b"\x89PNG\r\n\x1a\n", bytes(5000)])
def test_a_file_that_is_no_picture(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "goal.png").write_bytes(data)
    with pytest.raises(GoalError, match="not a picture"):
        load_goal(tmp_path / "goal.png", SPEC)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_torn_picture(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"goal{suffix}"
    save_picture(path, noise())
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(GoalError, match="not a picture"):
        load_goal(path, SPEC)


def test_another_size_says_both_sizes_and_is_not_resized(tmp_path: Path) -> None:
    save_picture(tmp_path / "goal.png", noise(64, 48))
    with pytest.raises(GoalError, match="is 48x64 pixels; the model sees camera front at 64x48"):
        load_goal(tmp_path / "goal.png", SPEC)


def test_the_same_shape_in_another_size_is_resized(tmp_path: Path) -> None:
    save_picture(tmp_path / "goal.png", np.repeat(np.repeat(noise(), 3, 0), 3, 1))
    np.testing.assert_array_equal(load_goal(tmp_path / "goal.png", SPEC), noise())


def test_the_shape_that_the_camera_sends_now_is_cut_to_the_middle(tmp_path: Path) -> None:
    wide = np.full((48, 84, 3), 7, np.uint8)
    wide[:, 10:74] = noise()
    save_picture(tmp_path / "goal.png", wide)
    sends = CameraSpec("front", 168, 96, (1.0, 1.0), (0.0, 0.0))
    np.testing.assert_array_equal(load_goal(tmp_path / "goal.png", SPEC, lambda: sends), noise())
    other = CameraSpec("front", 100, 96, (1.0, 1.0), (0.0, 0.0))
    with pytest.raises(GoalError, match=r"is 84x48 pixels; .* and gets 100x96 from camera front"):
        load_goal(tmp_path / "goal.png", SPEC, lambda: other)


def test_an_immense_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "goal.png").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(GoalError, match="larger than"):
        load_goal(tmp_path / "goal.png", SPEC)


def test_what_cannot_be_written_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(GoalError, match="cannot be written"):
        save_picture(Path("/dev/null/goal.png"), noise())
    with pytest.raises(GoalError, match=r"\.png"):
        save_picture(tmp_path / "goal.txt", noise())
    with pytest.raises(GoalError, match="uint8"):
        save_picture(tmp_path / "goal.png", noise().astype(np.float32))
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(GoalError, match="cannot be written"):
        save_picture(tmp_path / "taken.png", noise())
    assert [child.name for child in tmp_path.iterdir()] == ["taken.png"]


def test_a_full_disk_leaves_the_earlier_picture(tmp_path: Path) -> None:
    path = tmp_path / "goal.png"
    save_picture(path, noise(seed=1))
    script = f"""
import numpy as np
from pathlib import Path
from perception.camera.image_file import save_picture
save_picture(Path({str(path)!r}), np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))
"""
    result = on_a_full_disk("-c", script, limit=20_000)
    assert f"GoalError: {path} cannot be written: File too large" in result.stderr
    np.testing.assert_array_equal(load_goal(path, SPEC), noise(seed=1))
    assert [child.name for child in tmp_path.iterdir()] == ["goal.png"]


def test_writing_anew_replaces_the_old_picture(tmp_path: Path) -> None:
    save_picture(tmp_path / "goal.png", noise(seed=1))
    save_picture(tmp_path / "goal.png", noise(seed=2))
    np.testing.assert_array_equal(load_goal(tmp_path / "goal.png", SPEC), noise(seed=2))
