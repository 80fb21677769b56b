from __future__ import annotations

import signal
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from perception.benchmark.hand_eye import random_view
from perception.calibration.board_renderer import BoardRenderer
from perception.camera.board import Board
from perception.camera.calibration_file import HandEye, load_calibration, save_calibration
from tests.commands import in_process, running
from tests.perception.calibration.fisheye import fisheye_lens, near_pose
from tests.perception.calibration.views import BOARD, CALIBRATION, LENS, enough_pictures, write

ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    return enough_pictures()


def found_lens(path: Path) -> tuple[float, float]:
    """By what share the worse focal length is off, and the reprojection error, px."""
    calibration = load_calibration(path)
    assert (calibration.lens.width, calibration.lens.height) == (640, 480) and calibration.board == BOARD
    off = np.abs(np.diag(calibration.lens.camera_matrix) / np.diag(LENS.camera_matrix) - 1)
    return float(off.max()), calibration.error_px


def test_writes_a_board_to_print(tmp_path: Path) -> None:
    result = in_process("calibrate", "board", "--output", str(tmp_path / "sheet.pdf"))
    assert result.returncode == 0 and (tmp_path / "sheet.pdf").stat().st_size > 1000
    assert "9x6 squares of 28 mm with markers of 21 mm from 4x4_100" in result.stdout
    small = in_process("calibrate", "board", "--output", str(tmp_path / "sheet.pdf"), "--square-mm", "60")
    assert small.returncode == 1 and "does not fit on a4" in small.stderr


def test_finds_the_lens_from_pictures_taken_before(tmp_path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    empty = np.full((480, 640, 3), 90, np.uint8)
    folder = write(tmp_path / "views", [*pictures, empty, pictures[0]])
    output = tmp_path / "c.json"
    words = ("calibrate", "camera", "--pictures", str(folder), "--output", str(output), "--name", "wrist")
    result = in_process(*words)
    assert result.returncode == 0, result.stderr
    count = len(pictures)
    assert f"{count + 2} pictures, {count + 1} with the board, {count} different views" in result.stdout
    assert f"too similar to an earlier one: {count + 1:03d}.png" in result.stdout
    assert "reprojection error 0.0" in result.stdout and " px over " in result.stdout
    focal, error = found_lens(output)
    print(f"focal off by {100 * focal:.3f} %, reprojection error {error:.3f} px")
    assert focal < 0.005 and error < 0.15
    assert load_calibration(output).camera == "wrist"


def test_pictures_that_nothing_can_be_made_of_are_told_in_one_line(
    tmp_path: Path, pictures: list[NDArray[np.uint8]]
) -> None:
    output = ("--output", str(tmp_path / "c.json"))

    def told(folder: Path, *more: str) -> str:
        result = in_process("calibrate", "camera", "--pictures", str(folder), *output, *more)
        assert result.returncode == 1 and result.stderr.count("\n") == 1, result.stderr
        return result.stderr

    assert "there is no folder" in told(tmp_path / "absent")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "there is no picture in" in told(empty)
    grey = write(tmp_path / "grey", [np.full((480, 640, 3), 90, np.uint8)] * 3)
    assert "none of 3 pictures shows the board" in told(grey)
    assert "5 different views of the board are too few" in told(write(tmp_path / "few", pictures[:5]))
    assert "1 different views" in told(write(tmp_path / "same", [pictures[0]] * 12))
    mixed = write(tmp_path / "mixed", [pictures[0], np.asarray(cv2.resize(pictures[1], (320, 240)), np.uint8)])
    assert "differ in size" in told(mixed)
    assert "show another board than 7x5" in told(write(tmp_path / "other", pictures), "--columns", "7", "--rows", "5")
    (tmp_path / "few" / "000.png").write_bytes(b"torn")
    assert "not a complete picture" in told(tmp_path / "few")
    assert not (tmp_path / "c.json").exists()


def test_a_mirrored_and_a_legacy_board_and_a_wide_lens_are_recognised(
    tmp_path: Path, pictures: list[NDArray[np.uint8]]
) -> None:
    output = tmp_path / "c.json"

    def run(folder: Path, *more: str) -> CompletedProcess[str]:
        return in_process("calibrate", "camera", "--pictures", str(folder), "--output", str(output), *more)

    mirrored = write(tmp_path / "mirrored", [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures[:3]])
    refused = run(mirrored)
    assert refused.returncode == 1 and "3 of 3 pictures are mirrored" in refused.stderr

    legacy, rng = Board(legacy=True), np.random.default_rng(0)
    renderer = BoardRenderer(legacy, LENS)
    old = run(write(tmp_path / "old", [renderer.render(random_view(legacy, rng, 40.0), rng) for _ in range(14)]))
    assert old.returncode == 0, old.stderr
    assert "the layout of OpenCV before 4.6" in old.stdout and load_calibration(output).board == legacy
    output.unlink()

    lens, rng = fisheye_lens(), np.random.default_rng(0)
    renderer = BoardRenderer(BOARD, lens)
    wide = write(tmp_path / "wide", [renderer.render(near_pose(rng), rng) for _ in range(18)])
    taken = run(wide, "--model", "fisheye")
    assert taken.returncode == 0 and "fisheye model" in taken.stdout and "warning" not in taken.stdout, taken.stderr
    found = load_calibration(output).lens
    assert found.model == "fisheye" and abs(found.matrix[0][0] / lens.matrix[0][0] - 1) < 0.005


def test_a_calibration_in_use_is_not_overwritten_by_a_worse_one(
    tmp_path: Path, pictures: list[NDArray[np.uint8]]
) -> None:
    folder, output = write(tmp_path / "views", pictures), tmp_path / "c.json"
    place = HandEye("eye-in-hand", "panda", "hand", (0.1, 0.2, 0.3), (0.0, 0.6, 0.0, 0.8), "PARK", 0.001, 0.002, 15)
    used = msgspec.structs.replace(CALIBRATION, error_px=0.2, hand_eye=place)
    save_calibration(output, used)
    words = ("calibrate", "camera", "--pictures", str(folder), "--output", str(output))
    refused = in_process(*words)
    assert refused.returncode == 1 and "also holds the camera's pose" in refused.stderr
    assert load_calibration(output) == used
    assert in_process(*words, "--replace").returncode == 0
    assert load_calibration(output).hand_eye is None


def test_live_it_says_what_is_missing_until_nothing_is(tmp_path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """The whole way: a video of a board held up, a camera process that plays it, and the command that watches."""
    writer = cv2.VideoWriter(str(tmp_path / "views.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 4.0, (640, 480))
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 98)
    for picture in pictures:
        for _ in range(3):
            writer.write(picture)
    writer.release()
    size = ("--width", "640", "--height", "480", "--encoding", "jpeg", "--quality", "97")
    with running("camera", "--source", str(tmp_path / "views.avi"), *size, "--frames-address", ANY_PORT) as camera:
        words = ("calibrate", "camera", "--frames-address", camera.endpoint, "--output", str(tmp_path / "c.json"))
        result = in_process(*words, "--save", str(tmp_path / "kept"))
        assert result.returncode == 0, result.stderr
        camera.end(signal.SIGINT)
    lines = result.stdout.splitlines()
    assert lines[0] == "camera front, 640x480: show it the board; Ctrl-C ends this"
    assert any("still missing: the " in line and "more views" in line for line in lines)
    assert any(line.endswith("still missing: nothing") for line in lines)
    focal, _ = found_lens(tmp_path / "c.json")
    assert focal < 0.005
    again = in_process(
        "calibrate", "camera", "--pictures", str(tmp_path / "kept"), "--output", str(tmp_path / "d.json")
    )
    assert again.returncode == 0, again.stderr


def test_live_without_a_board_it_gives_up_when_told(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "grey.png"), np.full((120, 160, 3), 90, np.uint8))
    with running("camera", "--source", str(tmp_path / "grey.png"), "--frames-address", ANY_PORT) as camera:
        words = ("calibrate", "camera", "--frames-address", camera.endpoint, "--output", str(tmp_path / "c.json"))
        result = in_process(*words, "--patience-s", "1")
    assert result.returncode == 1 and "in 1 s camera front never showed the board" in result.stderr
    assert "no board; still missing: the upper left of the picture" in result.stdout
    for wrong in ("0", "inf"):
        refused = in_process(*words, "--patience-s", wrong)
        assert refused.returncode == 1 and "--patience-s" in refused.stderr
