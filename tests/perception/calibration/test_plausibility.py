from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.calibration.hand_eye import HandEyeResult, Residual
from perception.calibration.plausibility import WORST_M, WORST_RAD, doubtful, require_plausible
from robot.arm.kinematics import Pose
from robot.errors import CalibrationError

RESIDUALS = st.builds(
    lambda middle, rotation: Residual(middle, rotation, middle + 0.15 * rotation), st.floats(0, 1), st.floats(0, 3)
)


def result(residual: Residual) -> HandEyeResult:
    return HandEyeResult(Pose(np.zeros(3), np.eye(3)), "PARK", residual, {"PARK": residual})


@settings(max_examples=100, deadline=None)
@given(own=RESIDUALS, other=st.none() | RESIDUALS)
def test_what_cannot_be_right_is_refused_whatever_the_other_mounting_gives(
    own: Residual, other: Residual | None
) -> None:
    impossible = own.middle > WORST_M or own.rotation > WORST_RAD
    try:
        require_plausible(result(own), None if other is None else result(other), "eye-to-hand")
    except CalibrationError as error:
        assert impossible or "give --mounting eye-in-hand" in str(error)
        assert doubtful(own)
    else:
        assert not impossible


def test_the_other_mounting_is_named_only_where_it_fits() -> None:
    with pytest.raises(CalibrationError, match=r"by 12\.00 mm.*eye-to-hand by 0\.10 mm.*give --mounting eye-to-hand"):
        require_plausible(result(Residual(0.012, 0.02, 0.013)), result(Residual(1e-4, 1e-3, 1e-4)), "eye-in-hand")
    with pytest.raises(
        CalibrationError, match=r"130\.00 mm.*eye-to-hand by 90\.00 mm.*not of the same moments"
    ) as told:
        require_plausible(result(Residual(0.13, 0.2, 0.14)), result(Residual(0.09, 0.1, 0.09)), "eye-in-hand")
    assert "give --mounting" not in str(told.value)
    require_plausible(result(Residual(1e-3, 1e-3, 1e-3)), None, "eye-in-hand")
