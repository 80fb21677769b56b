from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.training.curves import draw_curves
from perception.training.loop import History


@pytest.mark.parametrize(
    "values", [[1.0, 0.1, 0.01], [-3.0, -4.0, -5.0], [0.0, 0.0, 0.0], [1.0]], ids=["falling", "negative", "flat", "one"]
)
def test_curves_of_any_sign_and_length_are_drawn(tmp_path: Path, values: list[float]) -> None:
    history = History(list(range(len(values))), {"loss": values, "other": values})
    draw_curves({"one": history, "two": history}, tmp_path / "deep" / "curves.png")
    picture = cv2.imread(str(tmp_path / "deep" / "curves.png"))
    assert picture is not None and np.ptp(picture) > 200
