from __future__ import annotations

import numpy as np
import pytest

from robot.embodiment.observation import Observation
from robot.errors import CameraError

FRONT = np.full((2, 3, 3), 7, np.uint8)


def test_a_picture_is_found_by_its_camera_and_a_missing_one_is_named() -> None:
    seen = Observation({"front": FRONT, "wrist": FRONT + 1}, np.zeros(3), 5)
    assert (seen.picture("wrist") == 8).all()
    with pytest.raises(CameraError, match="no picture of the camera 'side'; it has front, wrist"):
        seen.picture("side")


def test_a_new_sense_comes_along_by_its_name() -> None:
    assert not Observation({}, np.zeros(3), 5).extras
    seen = Observation({"front": FRONT}, np.zeros(3), 5, {"touch": np.array([0.5])})
    assert seen.extras["touch"] == 0.5
