from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.calibration.kept_pictures import kept_if_refused
from perception.calibration.overwriting import calibration_at, require_no_loss
from perception.camera.calibration_file import Calibration, HandEye, save_calibration
from robot.errors import CalibrationError
from tests.perception.calibration.views import CALIBRATION, LENS

PLACE = HandEye("eye-in-hand", "panda", "hand", (0.1, 0.2, 0.3), (0.0, 0.6, 0.0, 0.8), "PARK", 0.001, 0.002, 15)
USED = msgspec.structs.replace(CALIBRATION, error_px=0.2, hand_eye=PLACE)
HERE = Path("front.json")


def changed(lens_error: float = 1.0, middle: float = 1.0, rotation: float = 1.0) -> Calibration:
    """The calibration in use with its errors multiplied."""
    place = msgspec.structs.replace(
        PLACE, residual_m=middle * PLACE.residual_m, residual_rad=rotation * PLACE.residual_rad
    )
    return msgspec.structs.replace(USED, error_px=lens_error * USED.error_px, hand_eye=place)


@settings(max_examples=60, deadline=None)
@given(lens=st.floats(0, 5), middle=st.floats(0, 5), rotation=st.floats(0, 5))
def test_a_calibration_replaces_one_that_is_no_better(lens: float, middle: float, rotation: float) -> None:
    after = changed(lens, middle, rotation)
    if max(lens, middle, rotation) <= 1:
        require_no_loss(USED, after, HERE)
    if max(lens, middle, rotation) > 2:
        with pytest.raises(CalibrationError, match=r"front\.json has? .*|front\.json holds"):
            require_no_loss(USED, after, HERE)
    require_no_loss(None, after, HERE)


def test_what_would_be_lost_is_said() -> None:
    def told(**changes: object) -> str:
        with pytest.raises(CalibrationError, match=r"it stays as it is: give another --output, or --replace") as error:
            require_no_loss(USED, msgspec.structs.replace(USED, **changes), HERE)
        return str(error.value)

    assert "is the calibration of the camera 'front', and this is for 'wrist'" in told(camera="wrist")
    large = msgspec.structs.replace(LENS, width=1280)
    assert "is for pictures of 640x480, and this is for 1280x480" in told(lens=large)
    assert "also holds the camera's pose" in told(hand_eye=None)
    assert "for the arm panda (eye-in-hand), and this is for ur" in told(
        hand_eye=msgspec.structs.replace(PLACE, arm="ur")
    )
    assert "reprojection error of 0.200 px, and this has 0.900 px" in told(error_px=0.9)
    worse = msgspec.structs.replace(PLACE, residual_m=0.004)
    assert "residual of 1.00 mm and 0.115°, and this has 4.00 mm" in told(hand_eye=worse)


def test_a_file_that_is_no_calibration_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "info.json"
    assert calibration_at(path) is None
    path.write_text("{}")
    with pytest.raises(CalibrationError, match=r"is not a calibration: .*or --replace to overwrite it"):
        calibration_at(path)
    save_calibration(path, USED)
    assert calibration_at(path) == USED


def test_pictures_are_kept_when_their_calibration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="no lens") as told, kept_if_refused(None) as folder:
        (folder / "view.png").write_bytes(b"picture")
        raise CalibrationError("no lens")
    assert f"--pictures {folder}" in str(told.value) and (folder / "view.png").read_bytes() == b"picture"
    (folder / "view.png").unlink()
    folder.rmdir()


def test_pictures_are_not_kept_without_need(tmp_path: Path) -> None:
    with kept_if_refused(None) as folder:
        (folder / "view.png").write_bytes(b"picture")
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), kept_if_refused(None) as folder:
        raise KeyboardInterrupt
    assert not folder.exists()
    with pytest.raises(CalibrationError, match=r"^nothing seen$"), kept_if_refused(None) as folder:
        raise CalibrationError("nothing seen")
    assert not folder.exists()
    with kept_if_refused(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.exists()
