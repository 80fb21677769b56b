from __future__ import annotations

import msgspec
import numpy as np
import pybullet as p
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from robot.arm.rotations import quaternion_of, rotation_matrix
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec, rig
from sim.world.cameras import (
    FAR_M,
    FRONT_EYE,
    FRONT_FIELD_OF_VIEW,
    FRONT_TARGET,
    NEAR_M,
    VIEWS,
    camera_looking_at,
    camera_named,
    front_camera,
    look_matrices,
)

points = st.tuples(*[st.floats(-2, 2)] * 3)
sides = st.integers(16, 512)


def unit_quaternions() -> st.SearchStrategy[np.ndarray]:
    four = st.tuples(*[st.floats(-1, 1)] * 4).map(np.array)
    return four.filter(lambda q: np.linalg.norm(q) > 0.1).map(lambda q: q / np.linalg.norm(q))


def tilted(eye: tuple[float, ...], target: tuple[float, ...]) -> bool:
    """Whether the view is far enough from straight up or down for PyBullet's single-precision answer to be good."""
    look = np.subtract(target, eye)
    return bool(np.linalg.norm(look) > 0.1 and np.linalg.norm(look[:2]) > 0.05 * np.linalg.norm(look))


@given(points, points, st.floats(10, 100), sides, sides)
def test_the_matrices_are_those_of_pybullet(
    eye: tuple[float, float, float], target: tuple[float, float, float], field: float, width: int, height: int
) -> None:
    assume(tilted(eye, target))
    view, projection = look_matrices(camera_looking_at("any", eye, target, field, width, height))
    np.testing.assert_allclose(view, p.computeViewMatrix(eye, target, (0, 0, 1)), atol=1e-4)
    expected = p.computeProjectionMatrixFOV(field, width / height, NEAR_M, FAR_M)
    np.testing.assert_allclose(projection, expected, rtol=1e-4, atol=1e-5)


@given(unit_quaternions())
def test_a_quaternion_and_its_rotation_say_the_same(quaternion: np.ndarray) -> None:
    x, y, z, w = quaternion.tolist()
    rotation = rotation_matrix((x, y, z, w))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_allclose(rotation.ravel(), p.getMatrixFromQuaternion((x, y, z, w)), atol=1e-6)
    back = np.array(quaternion_of(rotation))
    assert back[3] >= 0
    assert abs(back @ quaternion) == pytest.approx(1.0, abs=1e-9)  # the same turn, up to the sign
    np.testing.assert_allclose(rotation_matrix(tuple(back)), rotation, atol=1e-9)


@given(points, points)
def test_the_optical_frame_is_right_down_forward(
    eye: tuple[float, float, float], target: tuple[float, float, float]
) -> None:
    assume(tilted(eye, target))
    camera = camera_looking_at("any", eye, target, 40.0, 64, 64)
    assert camera.orientation is not None
    right, down, forward = rotation_matrix(camera.orientation).T
    look = np.subtract(target, eye)
    np.testing.assert_allclose(forward, look / np.linalg.norm(look), atol=1e-9)
    assert abs(right[2]) < 1e-9 and down[2] < 0
    np.testing.assert_allclose(np.cross(right, down), forward, atol=1e-9)


def test_the_front_camera_is_where_it_says() -> None:
    camera = front_camera(64, 48)
    assert (camera.name, camera.width, camera.height) == ("front", 64, 48)
    assert camera.position == FRONT_EYE and camera.centre == (32.0, 24.0)
    view, _ = look_matrices(camera)
    np.testing.assert_allclose(view, p.computeViewMatrix(FRONT_EYE, FRONT_TARGET, (0, 0, 1)), atol=1e-6)
    assert 2 * np.rad2deg(np.arctan(24.0 / camera.focal[1])) == pytest.approx(FRONT_FIELD_OF_VIEW)


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_found_by_its_name_and_has_a_pose(name: str) -> None:
    camera = camera_named(name, 80, 60)
    assert (camera.name, camera.width, camera.height) == (name, 80, 60)
    for view in camera.views:
        assert len(look_matrices(view)[0]) == 16


@pytest.mark.parametrize(("name", "height"), [("front", 32), ("tabletop", 32), ("tabletop-rig", 64)])
def test_without_a_height_each_picture_is_square(name: str, height: int) -> None:
    camera = camera_named(name, 32)
    assert (camera.width, camera.height) == (32, height)
    assert all((view.width, view.height) == (32, 32) for view in camera.views)


def test_of_a_rig_each_camera_looks_for_itself() -> None:
    both = camera_named("tabletop-rig", 64, 128)
    front, side = both.views
    assert (front.height, side.height, front.name, side.name) == (64, 64, "tabletop-rig", "side")
    assert msgspec.structs.replace(front, name="tabletop") == camera_named("tabletop", 64, 64)
    assert side == camera_named("side", 64, 64) and side.position != front.position
    with pytest.raises(ValueError, match="render each of its views"):
        look_matrices(both)
    with pytest.raises(ConfigurationError, match="an even number"):
        camera_named("tabletop-rig", 64, 127)
    with pytest.raises(ConfigurationError, match="pictures of one size"):
        rig("odd", (front, camera_named("side", 64, 48)))


def test_a_camera_of_a_rig_has_a_name_of_its_own() -> None:
    both = camera_named("tabletop-rig", 64)
    for number, plain in ((1, "tabletop"), (2, "side")):
        name = f"tabletop-rig.{number}"
        alone = both.view(number)
        assert alone == camera_named(name, 64) == camera_named(name, 64, 64) and alone.name == name
        assert msgspec.structs.replace(alone, name=plain) == camera_named(plain, 64)
    for name, said in (
        ("tabletop-rig.3", "a rig of 2 cameras: it has no view 3"),
        ("tabletop-rig.0", "it has no view 0"),
        ("side.1", "'side' is no rig"),
        ("nowhere.1", "no camera called 'nowhere'"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            camera_named(name, 64)


def test_an_unknown_view_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'top'.* front, tabletop, side, tabletop-rig"):
        camera_named("top", 64, 64)


@pytest.mark.parametrize("target", [(0.5, 0.0, 0.0), (0.5, 0.0, 2.0), (0.5, 0.0, 1.0)])
def test_a_camera_cannot_look_straight_down_up_or_nowhere(target: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigurationError, match="move it aside"):
        camera_looking_at("plumb", (0.5, 0.0, 1.0), target, 40.0, 64, 64)


def test_a_camera_without_a_pose_cannot_be_drawn_from() -> None:
    with pytest.raises(ValueError, match="has no pose"):
        look_matrices(CameraSpec("webcam", 64, 64, (60.0, 60.0), (32.0, 32.0)))
