from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from perception.camera.board import Board
from perception.camera.calibration_file import VERSION, Calibration, HandEye, Lens, load_calibration, save_calibration
from robot.errors import CalibrationError

LENS = Lens(640, 480, ((520.0, 0.0, 331.0), (0.0, 523.0, 228.0), (0.0, 0.0, 1.0)), (-0.31, 0.11, 0.001, -0.0008, 0.0))
PLACE = HandEye("eye-in-hand", "panda", "hand", (0.1, 0.2, 0.3), (0.0, 0.6, 0.0, 0.8), "PARK", 0.001, 0.002, 15)


@pytest.mark.parametrize("place", [None, PLACE])
def test_what_is_written_is_read(tmp_path: Path, place: HandEye | None) -> None:
    calibration = Calibration(VERSION, "front", LENS, 0.12, 20, Board(), place)
    save_calibration(tmp_path / "c.json", calibration)
    assert load_calibration(tmp_path / "c.json") == calibration
    assert (tmp_path / "c.json").read_text().startswith("{\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"version": 1', '"version": 2', "of version 2"),
        ('"width": 640', '"width": 0', "picture size is 0x480"),
        ('"width": 640', '"width": "640"', "width"),
        ("520.0", "-520.0", "camera matrix"),
        ("520.0", "1e999", "finite|out of range|not a calibration"),
        ('"error_px"', '"eror_px"', "eror_px|error_px"),
        ("-0.31,", "", "distortion has 4"),
        ('"standard"', '"fisheye"', "distortion has 5 numbers instead of 4"),
        ('"standard"', '"other"', "not a calibration"),
        ('"eye-in-hand"', '"eye-on-hand"', "eye-on-hand"),
        ("0.6", "0.7", "quaternion of length"),
        ('"columns": 9', '"columns": 2', "at least 3"),
        ("{", "[", "not a calibration"),
    ],
)
def test_what_is_not_wholly_valid_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "c.json"
    save_calibration(path, Calibration(VERSION, "front", LENS, 0.12, 20, Board(), PLACE))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(CalibrationError, match=told):
        load_calibration(path)


def test_a_file_from_before_there_were_models_and_layouts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    calibration = Calibration(VERSION, "front", LENS, 0.12, 20, Board(), PLACE)
    content = msgspec.to_builtins(calibration)
    del content["lens"]["model"], content["board"]["legacy"]
    path.write_bytes(msgspec.json.encode(content))
    assert load_calibration(path) == calibration


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="worldarm calibrate camera"):
        load_calibration(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(b" " * 2_000_000)
    with pytest.raises(CalibrationError, match="is larger than 1 MB"):
        load_calibration(tmp_path / "large.json")
    with pytest.raises(CalibrationError, match="cannot be read"):
        load_calibration(tmp_path)


def test_a_lens_without_distortion_has_none() -> None:
    assert not msgspec.structs.replace(LENS, distortion=()).coefficients.any()
