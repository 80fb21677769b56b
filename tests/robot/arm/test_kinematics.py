"""Forward and inverse kinematics against PyBullet and against each other."""

import msgspec
import numpy as np
import pybullet
import pytest

from robot.arm.kinematics import Kinematics, Pose
from robot.errors import ConfigurationError, UnreachableError
from tests.robot.panda import URDF, panda_spec

SPEC = panda_spec()
HOME = np.array(SPEC.home)


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(SPEC)


def random_joints(generator: np.random.Generator, margin: float = 0.002) -> np.ndarray:
    return generator.uniform(np.array(SPEC.lower) + margin, np.array(SPEC.upper) - margin)


def miss(reached: Pose, target: Pose) -> tuple[float, float]:
    """How far apart two poses are, in metres and radians."""
    cosine = (np.trace(reached.rotation.T @ target.rotation) - 1.0) / 2.0
    angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return float(np.linalg.norm(reached.position - target.position)), angle


def test_forward_agrees_with_pybullet(kinematics: Kinematics) -> None:
    client = pybullet.connect(pybullet.DIRECT)
    try:
        arm = pybullet.loadURDF(
            str(URDF), useFixedBase=True, flags=pybullet.URDF_IGNORE_VISUAL_SHAPES, physicsClientId=client
        )
        generator = np.random.default_rng(3)
        for _ in range(50):
            joints = random_joints(generator)
            for index, angle in enumerate(joints):
                pybullet.resetJointState(arm, index, angle, physicsClientId=client)
            link = pybullet.getLinkState(arm, 11, computeForwardKinematics=True, physicsClientId=client)
            pose = kinematics.forward(joints)
            np.testing.assert_allclose(pose.position, link[4], atol=1e-6)
            rotation = np.reshape(pybullet.getMatrixFromQuaternion(link[5]), (3, 3))
            np.testing.assert_allclose(pose.rotation, rotation, atol=1e-5)
            np.testing.assert_allclose(kinematics.position(joints), pose.position)
    finally:
        pybullet.disconnect(client)


def test_inverse_reaches_a_thousand_reachable_poses_from_home(kinematics: Kinematics) -> None:
    generator = np.random.default_rng(1)
    for _ in range(1000):
        target = kinematics.forward(random_joints(generator))
        joints = kinematics.inverse(target, HOME)
        position, angle = miss(kinematics.forward(joints), target)
        assert position <= 1e-4 and angle <= 1e-3
        assert (joints >= SPEC.lower).all() and (joints <= SPEC.upper).all()


def test_inverse_stays_near_its_seed(kinematics: Kinematics) -> None:
    generator = np.random.default_rng(2)
    for _ in range(200):
        seed = random_joints(generator, margin=0.3)
        moved = seed + generator.uniform(-0.01, 0.01, SPEC.dof)
        joints = kinematics.inverse(kinematics.forward(moved), seed, restarts=0)
        assert np.abs(joints - seed).max() < 0.3


def test_inverse_is_the_same_each_time(kinematics: Kinematics) -> None:
    target = kinematics.forward(random_joints(np.random.default_rng(7)))
    np.testing.assert_array_equal(kinematics.inverse(target, HOME), Kinematics(SPEC).inverse(target, HOME))


def test_unreachable_pose_says_what_and_how_near(kinematics: Kinematics) -> None:
    with pytest.raises(UnreachableError, match=r"\(2\.0000, 0\.0000, 0\.3000\).*misses by \d+"):
        kinematics.inverse(Pose(np.array([2.0, 0.0, 0.3]), np.eye(3)), HOME)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pose_that_is_not_finite_is_unreachable(kinematics: Kinematics, value: float) -> None:
    with pytest.raises(UnreachableError, match="not finite"):
        kinematics.inverse(Pose(np.array([0.5, 0.0, value]), np.eye(3)), HOME)


def test_jacobian_is_the_derivative_of_the_position(kinematics: Kinematics) -> None:
    joints = random_joints(np.random.default_rng(5))
    jacobian = kinematics.jacobian(joints)[:3]
    for index in range(SPEC.dof):
        step = 1e-6 * np.eye(SPEC.dof)[index]
        slope = (kinematics.position(joints + step) - kinematics.position(joints - step)) / 2e-6
        np.testing.assert_allclose(jacobian[:, index], slope, atol=1e-7)


def test_no_joint_moves_the_tool_further_than_its_reach_bound(kinematics: Kinematics) -> None:
    generator = np.random.default_rng(6)
    bounds = kinematics.reach_bounds()
    for _ in range(300):
        jacobian = kinematics.jacobian(random_joints(generator))[:3]
        assert (np.linalg.norm(jacobian, axis=0) <= bounds + 1e-9).all()


def test_joints_in_another_order_are_put_in_order() -> None:
    order = [6, 2, 0, 5, 1, 3, 4]

    def pick(values: tuple) -> tuple:
        return tuple(values[index] for index in order)

    shuffled = msgspec.structs.replace(
        SPEC, joint_names=pick(SPEC.joint_names), lower=pick(SPEC.lower), upper=pick(SPEC.upper), home=pick(SPEC.home)
    )
    plain, other = Kinematics(SPEC), Kinematics(shuffled)
    joints = random_joints(np.random.default_rng(8))
    np.testing.assert_allclose(other.position(joints[order]), plain.position(joints))
    np.testing.assert_allclose(other.jacobian(joints[order]), plain.jacobian(joints)[:, order], atol=1e-12)
    np.testing.assert_allclose(other.reach_bounds(), plain.reach_bounds()[order])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"urdf": "<robot"}, "cannot be read"),
        ({"tool_frame": "claw"}, "no tool frame 'claw'"),
        ({"joint_names": (*SPEC.joint_names[:6], "elbow")}, "no joint 'elbow'"),
    ],
)
def test_a_description_that_does_not_fit_is_named(change: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Kinematics(msgspec.structs.replace(SPEC, **change))
