from __future__ import annotations

import numpy as np
import pytest

from perception.training_data.rig_view import OneView, seen_by, view_like
from robot.embodiment.description import RecordingRecipe
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec, rig
from tests.tiny import RECIPE


def of_three() -> RecordingRecipe:
    names = ("first", "second", "third")
    cameras = tuple(
        CameraSpec(name, 8, 6, (9.0, 9.0), (4.0, 3.0), (float(i), 0.0, 1.0)) for i, name in enumerate(names)
    )
    return RecordingRecipe(RECIPE.arm, rig("three", cameras), RECIPE.action, RECIPE.state_names)


def test_of_stacked_pictures_one_cameras_rows_are_read() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 18, 8, 3), np.uint8)
    middle = OneView(pictures, 6, 12)
    assert len(middle) == 5
    np.testing.assert_array_equal(middle[np.array([4, 0])], pictures[[4, 0], 6:12])
    np.testing.assert_array_equal(middle[1:3], pictures[1:3, 6:12])
    clips = np.array([[0, 1], [3, 4]])
    np.testing.assert_array_equal(middle[clips], pictures[clips][:, :, 6:12])


def test_each_camera_recorded_what_it_would_have_recorded_alone() -> None:
    recipe = of_three()
    assert seen_by(recipe, None) is recipe and view_like(recipe, recipe.camera) is None
    for number in (1, 2, 3):
        alone = seen_by(recipe, number)
        assert (alone.camera.name, alone.camera.height, alone.camera.below) == (f"three.{number}", 6, ())
        assert alone.camera.position == (number - 1.0, 0.0, 1.0)
        assert view_like(recipe, alone.camera) == number
        assert (alone.arm, alone.action, alone.state_names) == (recipe.arm, recipe.action, recipe.state_names)


def test_a_camera_that_is_not_there_is_told() -> None:
    for recipe, number, said in ((of_three(), 4, "a rig of 3 cameras: it has no view 4"), (RECIPE, 1, "no rig")):
        with pytest.raises(ConfigurationError, match=said):
            seen_by(recipe, number)
    assert view_like(RECIPE, RECIPE.camera) is None
