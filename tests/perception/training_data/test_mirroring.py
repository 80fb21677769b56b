from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.training_data.mirroring import WithMirrored, with_mirrored
from robot.arm.kinematics import Kinematics
from robot.embodiment.actions import TABLETOP
from robot.embodiment.description import EmbodimentDescription
from robot.embodiment.proprioception import GRASPING_STATE_NAMES, Proprioception
from robot.errors import ConfigurationError
from sim.policies.interface import standing
from sim.world.cameras import VIEWS
from sim.world.panda import panda_spec
from sim.world.scene import GRASPABLE, Scene
from tests.tiny import CAMERA, EMBODIMENT, frames

POSTURE = np.array([0.1, 0.5, 0.1, -2.0, 0.05, 2.5, 0.3])
MIRRORED_JOINTS = np.array([-1, 1, -1, 1, -1, 1, -1])
MIDDLE_YAW = np.array([0, 0, 0, 0, 0, 0, np.pi / 4])


def look(name: str, posture: np.ndarray, side: float) -> np.ndarray:
    """What a camera sees of the arm and of things on one side or the other."""
    scene = Scene(GRASPABLE)
    try:
        scene.set_arm(posture, 0.08)
        places = [(0.48, 0.10, 0.3), (0.55, -0.12, -0.7), (0.44, -0.02, 1.1)]
        scene.place(
            [
                standing(thing.name, (x, side * y, thing.rest_height), side * yaw)
                for thing, (x, y, yaw) in zip(GRASPABLE, places, strict=True)
            ]
        )
        return scene.render(VIEWS[name](64, 64))
    finally:
        scene.close()


@pytest.mark.parametrize("name", ["front", "tabletop"])
def test_what_stands_on_the_other_side_looks_like_the_mirror_image(name: str) -> None:
    here = look(name, POSTURE + MIDDLE_YAW, 1.0)
    there = look(name, POSTURE * MIRRORED_JOINTS + MIDDLE_YAW, -1.0)
    both = WithMirrored(here[None], np.array([0]))
    mirrored = both[np.array([1])][0]

    def unlike(picture: np.ndarray) -> float:
        return float((np.abs(picture.astype(int) - there).mean(-1) > 40).mean())

    assert unlike(mirrored) < 0.08, "but for shading and edges"
    assert unlike(here) > 3 * unlike(mirrored)


@given(side=st.floats(-0.15, 0.15), yaw=st.floats(-1.0, 1.0))
def test_what_the_arm_feels_and_does_there_is_mirrored_too(side: float, yaw: float) -> None:
    embodiment = EmbodimentDescription("panda-sim", CAMERA, TABLETOP, GRASPING_STATE_NAMES)
    kinematics = Kinematics(panda_spec())
    proprioception = Proprioception(GRASPING_STATE_NAMES, TABLETOP, kinematics)
    home = np.asarray(panda_spec().home)

    def felt(sign: float) -> np.ndarray:
        tool = TABLETOP.start(np.array([0.5, sign * side, 0.2]))
        action = np.array([0.0, 0.0, 0.0, sign * yaw, 1.0])
        joints = kinematics.inverse(TABLETOP.pose(TABLETOP.target(tool, action)), home)
        return np.asarray(proprioception.state(joints, joints, 0.08, 0.08), dtype=np.float32)

    one = frames([3])
    states = np.stack([felt(1.0)] * 3)
    actions = np.tile(np.float32([0.1, 0.2, 0.3, 0.4, 1.0]), (3, 1))
    cache = dataclasses.replace(one, states=states, actions=actions, clean_actions=0.5 * actions)
    both, numbers = with_mirrored(cache, np.array([0]), embodiment)
    np.testing.assert_allclose(both.states[3], felt(-1.0), atol=1e-3)
    np.testing.assert_allclose(both.actions[3], [0.1, -0.2, 0.3, -0.4, 1.0], atol=1e-6)
    np.testing.assert_allclose(both.clean_actions[3], [0.05, -0.1, 0.15, -0.2, 0.5], atol=1e-6)
    assert numbers.tolist() == [1] and both.starts.tolist() == [0, 3] and both.lengths.tolist() == [3, 3]


def test_some_episodes_are_mirrored_after_the_others() -> None:
    cache = frames([4, 5, 3])
    both, numbers = with_mirrored(cache, np.array([1, 2]), EMBODIMENT)
    assert numbers.tolist() == [3, 4] and both.frames == 12 + 8 == len(both.images)
    assert both.truth is not None and cache.truth is not None
    every = both.images[np.arange(20)]
    np.testing.assert_array_equal(every[:12], cache.images[np.arange(12)])
    np.testing.assert_array_equal(every[12:][:, :, ::-1], cache.images[np.arange(4, 12)])
    np.testing.assert_array_equal(both.images[10:14], every[10:14])
    np.testing.assert_array_equal(both.images[np.array([[3, 19], [12, 0]])], every[[[3, 19], [12, 0]]])
    np.testing.assert_array_equal(both.truth[12:, :, 1], -cache.truth[4:, :, 1])
    np.testing.assert_array_equal(both.states[both.frames_of(numbers), 0], np.arange(4, 12))
    assert both.fingerprint == cache.fingerprint


def test_a_camera_beside_the_arm_cannot_be_mirrored() -> None:
    side = msgspec.structs.replace(EMBODIMENT, camera=VIEWS["side"](32, 32))
    with pytest.raises(ConfigurationError, match="'side' does not stand in the arm's plane"):
        with_mirrored(frames([3]), np.array([0]), side)
    unknown = msgspec.structs.replace(EMBODIMENT, camera=msgspec.structs.replace(CAMERA, position=None))
    with pytest.raises(ConfigurationError, match="pose of the camera 'front' is not known"):
        with_mirrored(frames([3]), np.array([0]), unknown)
