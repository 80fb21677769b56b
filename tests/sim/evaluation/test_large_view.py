from __future__ import annotations

import numpy as np
import pytest

from robot.wire.camera_spec import CameraSpec
from robot.wire.messages import SceneState
from sim.evaluation.large_view import HEIGHT, LargeView
from sim.policies.push import cube_pose
from sim.world.cameras import front_camera, tabletop_rig
from sim.world.panda import panda_spec
from sim.world.scene import EVERYTHING, Scene

ABOVE = SceneState(0, 0, panda_spec().home, 0.02, (cube_pose(np.array([0.45, 0.1]), 0.0),))


def red_centre(picture: np.ndarray) -> tuple[float, float]:
    """The place of the red cube in a picture, in pixels."""
    pixels = picture.astype(int)
    down, across = np.nonzero((pixels[..., 0] > 80) & (pixels[..., 0] > 2.5 * pixels[..., 1]))
    return float(across.mean() + 0.5), float(down.mean() + 0.5)


@pytest.mark.parametrize("camera", [front_camera(96, 64), tabletop_rig(64, 128)])
def test_it_shows_what_the_agent_s_first_camera_sees_larger(camera: CameraSpec) -> None:
    world = Scene(EVERYTHING)
    world.set_arm(np.asarray(ABOVE.joints), ABOVE.gripper_width)
    world.place(ABOVE.objects)
    first = camera.views[0]
    small = world.render(first)
    world.close()
    with LargeView(camera) as view:
        large = view.picture(ABOVE)
        assert large.shape == (HEIGHT, view.width, 3)
        assert view.width / HEIGHT == pytest.approx(first.width / first.height, rel=0.01)
        np.testing.assert_allclose(red_centre(large), np.array(red_centre(small)) * view.scale, atol=0.7 * view.scale)


def test_shadows_fall_on_the_table() -> None:
    with LargeView(front_camera(64, 64), 120) as view:
        alone = view.picture(SceneState(0, 0, ABOVE.joints, 0.02, ())).astype(int)
        beside = view.picture(ABOVE).astype(int)
    table = beside[..., 0] < beside[..., 1]  # greener than the cube
    assert (alone - beside)[table].max() > 10
