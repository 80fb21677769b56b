"""The arm is drawn where it is: by its own meshes where they are here, else by the capsules that are guarded."""

import msgspec
import numpy as np
import pytest

from robot.arm.interface import ArmSpec
from robot.arm.kinematics import Kinematics
from robot.errors import ConfigurationError
from robot.hardware.so101.description import JOINTS, LIMITS, so101_spec
from robot.hardware.ur.description import ur_spec
from robot.web.arm_shapes import ArmShapes
from robot.web.viewpoint import LOOK_AT, on_screen
from tests.robot.panda import panda_spec

SO101 = so101_spec(tuple(-LIMITS[name] for name in JOINTS), tuple(LIMITS[name] for name in JOINTS))


def drawn(shapes: ArmShapes, joints: np.ndarray, width: float) -> list[np.ndarray]:
    """The corners of each piece in the base frame."""
    found = []
    for shape, (position, (w, x, y, z)) in zip(shapes.shapes, shapes.places(joints, width), strict=True):
        axis = np.array((x, y, z))
        crossed = np.cross(axis, shape.vertices)
        found.append(shape.vertices + 2 * w * crossed + 2 * np.cross(axis, crossed) + position)
    return found


@pytest.mark.parametrize("spec", [SO101, ur_spec("ur5e"), panda_spec()], ids=lambda spec: spec.name)
def test_every_arm_is_drawn_and_its_hand_is_where_its_tool_is(spec: ArmSpec) -> None:
    shapes = ArmShapes(spec)
    for joints in (np.array(spec.home), 0.5 * np.array(spec.home) + 0.1):
        pieces = np.concatenate(drawn(shapes, joints, spec.gripper_range[1]))
        assert np.linalg.norm(pieces - Kinematics(spec).position(joints), axis=1).min() < 0.12
        assert np.linalg.norm(pieces, axis=1).min() < 0.25, "and its foot at the base"


def test_capsules_stand_in_for_meshes_that_are_not_here_and_that_is_said() -> None:
    urdf = panda_spec().urdf.replace('filename="', 'filename="/nowhere')
    spec = msgspec.structs.replace(panda_spec(), urdf=urdf)
    shapes = ArmShapes(spec)
    assert len(shapes.shapes) == len(spec.bodies) and "is not on this machine" in shapes.lacking
    for body, corners in zip(spec.bodies, drawn(shapes, np.array(spec.home), 0.0), strict=True):
        size = corners.max(axis=0) - corners.min(axis=0)
        length = float(np.linalg.norm(np.subtract(body.end, body.start))) + 2 * body.radius
        assert 1.9 * body.radius < size.min() and size.max() < 1.02 * length


def test_the_fingers_open() -> None:
    from sim.world.panda import panda_spec as simulated

    spec = simulated()
    shapes = ArmShapes(spec)
    assert shapes.lacking == ""
    joints = np.array(spec.home)
    closed, opened = drawn(shapes, joints, 0.0), drawn(shapes, joints, 0.08)
    moved = [float(np.abs(a - b).max()) for a, b in zip(closed, opened, strict=True)]
    assert sum(each > 0.03 for each in moved) == 2 and sum(each > 1e-6 for each in moved) == 2


def test_a_description_that_cannot_be_read_is_told() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ArmShapes(msgspec.structs.replace(panda_spec(), urdf="<robot"))


def test_what_is_looked_at_is_in_the_middle_of_the_screen_and_up_is_up() -> None:
    assert np.allclose(on_screen(np.array(LOOK_AT), 1280, 800), (640.0, 400.0))
    assert on_screen(np.add(LOOK_AT, (0.0, 0.0, 0.1)), 1280, 800)[1] < 400.0
