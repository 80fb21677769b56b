from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from perception.camera.projection import sight
from robot.arm.interface import ObjectPose
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import PLANAR_PUSH
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.policies.push import cube_pose
from sim.world.cameras import VIEWS, front_camera
from sim.world.panda import panda_spec
from sim.world.scene import RED_CUBE, Scene, SceneObject

BLUE = SceneObject("blue", (0.05, 0.05, 0.05), 0.1, 0.5, (0.1, 0.2, 0.8))
AWAY = np.array([1.8, -0.3, 0.0, -2.4, 0.0, 2.1, 0.785])
EYES = [view for make in VIEWS.values() for view in make(320, 240).views]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def red(image: np.ndarray) -> np.ndarray:
    """Which pixels of (H, W, 3) show the red cube."""
    pixels = image.astype(int)
    return (pixels[..., 0] > 80) & (pixels[..., 0] > 2.5 * pixels[..., 1])


def project(camera: CameraSpec, point: np.ndarray) -> np.ndarray:
    """Where the pinhole camera has `point` (3,) m in its picture: (column, row) in pixels."""
    seen = sight(camera, point)
    assert seen is not None
    return np.array([seen.column, seen.row])


def shove(scene: Scene, steps: int) -> list[tuple[float, ...]]:
    """Swing the arm through the cube, and return everything that moves, step by step."""
    beside = PLANAR_PUSH.pose(PLANAR_PUSH.start(np.array([0.50, 0.12, 0.045])))
    posture = Kinematics(panda_spec()).inverse(beside, np.asarray(panda_spec().home))
    scene.set_arm(posture, 0.0)
    scene.place([cube_pose(np.array([0.514, 0.0]), 0.3)])
    history = []
    for step in range(steps):
        scene.command(posture - np.eye(7)[0] * 0.003 * step, 0.0)
        scene.step()
        (cube,) = scene.objects()
        history.append((*scene.joints()[0], *scene.joints()[1], *cube.position, *cube.orientation))
    return history


@pytest.mark.parametrize(("width", "height"), [(64, 64), (32, 48), (101, 33), (224, 224)])
def test_a_picture_has_the_size_asked_for(scene: Scene, width: int, height: int) -> None:
    image = scene.render(front_camera(width, height))
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    assert image.flags.c_contiguous and image.flags.owndata
    assert red(image).any()


@pytest.mark.parametrize("camera", EYES, ids=lambda camera: camera.name)
@pytest.mark.parametrize("centre", [(0.45, -0.12), (0.5, 0.0), (0.6, 0.15)])
def test_the_cube_is_drawn_where_the_camera_says_that_it_sees_it(
    scene: Scene, camera: CameraSpec, centre: tuple[float, float]
) -> None:
    scene.set_arm(AWAY, 0.0)
    scene.place([cube_pose(np.array(centre), 0.0)])
    rows, columns = np.nonzero(red(scene.render(camera)))
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.03
    outline = np.array([project(camera, corner + (*centre, 0.03)) for corner in corners])
    np.testing.assert_allclose([columns.min(), rows.min()], outline.min(0), atol=1.5)
    np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], outline.max(0), atol=1.5)


def test_the_same_scene_gives_the_same_picture_and_another_does_not(scene: Scene) -> None:
    camera = front_camera()
    first = scene.render(camera)
    np.testing.assert_array_equal(scene.render(camera), first)
    scene.place([cube_pose(np.array([0.56, 0.1]), 0.0)])
    moved = scene.render(camera)
    assert (moved != first).any()
    scene.set_arm(AWAY, 0.0)
    assert (scene.render(camera) != moved).any()


def test_what_is_placed_is_there_and_stays(scene: Scene) -> None:
    scene.set_arm(AWAY, 0.0)
    pose = cube_pose(np.array([0.44, -0.11]), 0.7)
    shove(scene, 100)  # it is moving when it is placed
    scene.set_arm(AWAY, 0.0)
    scene.place([pose])
    (placed,) = scene.objects()
    np.testing.assert_allclose(placed.position, pose.position, atol=1e-9)
    np.testing.assert_allclose(placed.orientation, pose.orientation, atol=1e-9)
    for _ in range(250):
        scene.step()
    (rested,) = scene.objects()
    np.testing.assert_allclose(rested.position, pose.position, atol=1e-3)
    assert abs(np.dot(rested.orientation, pose.orientation)) > 1 - 1e-5


def test_an_object_that_is_not_here_is_refused_and_nothing_moves(scene: Scene) -> None:
    before = scene.objects()
    elsewhere = cube_pose(np.array([0.6, 0.1]), 0.0)
    with pytest.raises(ConfigurationError, match="no object named ball here; there are cube"):
        scene.place([elsewhere, ObjectPose("ball", (0.5, 0.0, 0.03), (0.0, 0.0, 0.0, 1.0))])
    assert scene.objects() == before


def test_several_objects_keep_their_names() -> None:
    scene = Scene((RED_CUBE, BLUE))
    try:
        assert scene.object_spec("blue") is BLUE and BLUE.rest_height == 0.025
        scene.place([cube_pose(np.array([0.6, 0.1]), 0.0, "blue", BLUE.rest_height)])
        poses = {pose.name: pose.position for pose in scene.objects()}
        assert list(poses) == ["cube", "blue"]
        np.testing.assert_allclose(poses["blue"], (0.6, 0.1, 0.025))
        image = scene.render(front_camera()).astype(int)
        assert (image[..., 2] > 2 * image[..., 0]).any() and red(image).any()
    finally:
        scene.close()


def test_the_tool_is_where_the_kinematics_have_it(scene: Scene) -> None:
    kinematics = Kinematics(panda_spec())
    rng = np.random.default_rng(0)
    for _ in range(10):
        joints = np.asarray(panda_spec().home) + rng.uniform(-0.4, 0.4, 7)
        scene.set_arm(joints, 0.03)
        positions, velocities, width = scene.joints()
        np.testing.assert_allclose(positions, joints, atol=1e-12)
        assert velocities == (0.0,) * 7 and width == pytest.approx(0.03)
        np.testing.assert_allclose(scene.tool_position(), kinematics.position(joints), atol=1e-6)


def test_the_motors_follow_commands_and_the_fingers_stay_in_their_range(scene: Scene) -> None:
    goal = np.asarray(panda_spec().home) + 0.05
    scene.command(goal, 0.5)
    for _ in range(250):
        scene.step()
    positions, velocities, width = scene.joints()
    np.testing.assert_allclose(positions, goal, atol=2e-3)
    np.testing.assert_allclose(velocities, 0.0, atol=1e-2)
    assert width == pytest.approx(0.08, abs=2e-3)


def test_two_worlds_do_the_same_and_do_not_meddle() -> None:
    first, second, third = Scene(), Scene(), Scene()
    try:
        third.place([cube_pose(np.array([0.4, 0.2]), 0.0)])
        alone = shove(first, 150)
        assert shove(second, 150) == alone
        moved = np.subtract(alone[-1][14:16], alone[0][14:16])
        assert np.linalg.norm(moved) > 0.02, "the arm should have pushed the cube, or this shows little"
        np.testing.assert_allclose(third.objects()[0].position, (0.4, 0.2, 0.03), atol=1e-9)
    finally:
        for scene in (first, second, third):
            scene.close()


def test_rewinding_leaves_nothing_of_what_went_before(scene: Scene) -> None:
    camera = front_camera(32, 32)
    picture, joints, objects = scene.render(camera), scene.joints(), scene.objects()
    first = shove(scene, 150)
    scene.place([cube_pose(np.array([0.6, -0.1]), 1.0)])
    for _ in range(40):
        scene.step()
    scene.rewind()
    assert (scene.joints(), scene.objects()) == (joints, objects)
    np.testing.assert_array_equal(scene.render(camera), picture)
    assert shove(scene, 150) == first


def test_closing_twice_is_harmless() -> None:
    scene = Scene()
    scene.close()
    scene.close()
