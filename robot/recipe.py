"""How a data set was recorded, as far as a model must know it: arm, camera and what an action means.

It lives in the data set's `meta/info.json` under "worldarm" and travels from there into every checkpoint.
"""

from __future__ import annotations

import msgspec

from robot.action import ActionConvention
from robot.camera_spec import CameraSpec
from robot.dataset.schema import DatasetInfo
from robot.errors import DatasetError

KEY = "recording"


class RecordingRecipe(msgspec.Struct, frozen=True):
    """`arm` name, `camera`, `action` convention, and the names of the entries of `observation.state`."""

    arm: str
    camera: CameraSpec
    action: ActionConvention
    state_names: tuple[str, ...]

    def to_metadata(self) -> dict[str, object]:
        """Return what to hand to the data set's writer."""
        return {KEY: msgspec.to_builtins(self)}


def read_recipe(info: DatasetInfo) -> RecordingRecipe:
    """Return how a data set was recorded. Raises `DatasetError` when it does not say, or not what its columns are."""
    try:
        recipe = msgspec.convert(info.metadata[KEY], RecordingRecipe)
    except KeyError:
        raise DatasetError(
            "the data set does not say which camera and which action convention it was recorded with "
            f"(no worldarm.{KEY} in meta/info.json); record it with worldarm"
        ) from None
    except msgspec.ValidationError as error:
        raise DatasetError(f"the data set's worldarm.{KEY} entry in meta/info.json is not valid: {error}") from error
    camera = recipe.camera
    for name, shape in (
        ("action", (recipe.action.size,)),
        ("observation.state", (len(recipe.state_names),)),
        (f"observation.images.{camera.name}", (camera.height, camera.width, 3)),
    ):
        feature = info.features.get(name)
        if feature is not None and feature.shape != shape:
            raise DatasetError(
                f"the data set's column {name!r} is of shape {feature.shape}, and its worldarm.{KEY} entry in "
                f"meta/info.json speaks of {shape}: one of them was changed"
            )
    return recipe
