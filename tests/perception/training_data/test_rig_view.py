from __future__ import annotations

import numpy as np
import pytest

from perception.training_data.rig_view import OneView, seen_by, view_like
from robot.embodiment.description import EmbodimentDescription
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec, rig
from tests.tiny import EMBODIMENT


def of_three() -> EmbodimentDescription:
    names = ("first", "second", "third")
    cameras = tuple(
        CameraSpec(name, 8, 6, (9.0, 9.0), (4.0, 3.0), (float(i), 0.0, 1.0)) for i, name in enumerate(names)
    )
    return EmbodimentDescription(EMBODIMENT.arm, rig("three", cameras), EMBODIMENT.action, EMBODIMENT.state_names)


def test_of_stacked_pictures_one_cameras_rows_are_read() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 18, 8, 3), np.uint8)
    middle = OneView(pictures, 6, 12)
    assert len(middle) == 5
    np.testing.assert_array_equal(middle[np.array([4, 0])], pictures[[4, 0], 6:12])
    np.testing.assert_array_equal(middle[1:3], pictures[1:3, 6:12])
    clips = np.array([[0, 1], [3, 4]])
    np.testing.assert_array_equal(middle[clips], pictures[clips][:, :, 6:12])


def test_each_camera_recorded_what_it_would_have_recorded_alone() -> None:
    embodiment = of_three()
    assert seen_by(embodiment, None) is embodiment and view_like(embodiment, embodiment.camera) is None
    for number in (1, 2, 3):
        alone = seen_by(embodiment, number)
        assert (alone.camera.name, alone.camera.height, alone.camera.below) == (f"three.{number}", 6, ())
        assert alone.camera.position == (number - 1.0, 0.0, 1.0)
        assert view_like(embodiment, alone.camera) == number
        assert (alone.arm, alone.action, alone.state_names) == (
            embodiment.arm,
            embodiment.action,
            embodiment.state_names,
        )


def test_a_camera_that_is_not_there_is_told() -> None:
    for embodiment, number, said in (
        (of_three(), 4, "a rig of 3 cameras: it has no view 4"),
        (EMBODIMENT, 1, "no rig"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            seen_by(embodiment, number)
    assert view_like(EMBODIMENT, EMBODIMENT.camera) is None
