from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.camera.projection import point_at, point_between, sight
from robot.errors import CameraError
from sim.world.cameras import front_camera, tabletop_rig

FRONT, SIDE = tabletop_rig(64, 128).views
UPWARDS = msgspec.structs.replace(FRONT, orientation=(0.0, 0.0, 0.0, 1.0))


@settings(max_examples=50)
@given(st.floats(0.4, 0.6), st.floats(-0.15, 0.15), st.floats(0.0, 0.1))
def test_a_point_is_found_again_from_where_cameras_see_it(x: float, y: float, z: float) -> None:
    point = np.array([x, y, z])
    seen = [sight(camera, point) for camera in (FRONT, SIDE)]
    columns = [each.column for each in seen if each is not None]
    rows = [each.row for each in seen if each is not None]
    np.testing.assert_allclose(point_at(FRONT, columns[0], rows[0], z), point, atol=1e-9)
    np.testing.assert_allclose(point_between([FRONT, SIDE], columns, rows), point, atol=1e-9)


def test_a_camera_sees_the_point_that_it_looks_at_in_the_middle() -> None:
    seen = sight(front_camera(), np.array([0.515, 0.0, 0.04]))
    assert seen is not None and (seen.column, seen.row) == pytest.approx((32.0, 32.0))
    assert seen.depth == pytest.approx(float(np.linalg.norm(np.subtract((1.30, 0.0, 0.66), (0.515, 0.0, 0.04)))))


@pytest.mark.parametrize("point", [(0.5, 0.6, 0.0), (2.0, 0.0, 1.0), (1.3, 0.0, 0.66)])
def test_what_is_beside_or_behind_a_camera_is_not_in_its_picture(point: tuple[float, float, float]) -> None:
    assert sight(FRONT, np.array(point)) is None


def test_without_a_pose_or_above_the_horizon_no_point_is_known() -> None:
    anywhere = msgspec.structs.replace(FRONT, position=None)
    with pytest.raises(CameraError, match=r"has no pose.*worldarm calibrate hand-eye"):
        sight(anywhere, np.zeros(3))
    with pytest.raises(CameraError, match=r"sees no point 0.03 m high at column 32, row 32"):
        point_at(UPWARDS, 32.0, 32.0, 0.03)
