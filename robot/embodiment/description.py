"""How a data set was recorded, as far as a model must know it: arm, camera and what an action means.

It lives in the data set's `meta/info.json` under "worldarm" and travels from there into every checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from robot.dataset.format.columns import ACTION, STATE, image_column
from robot.dataset.format.schema import DatasetInfo
from robot.embodiment.convention import ActionConvention, ArmConvention
from robot.embodiment.convention_file import read_convention, with_kind
from robot.errors import DatasetError
from robot.wire.camera_spec import CameraSpec, reframed

KEY = "recording"
RECORDED_KEY = "recorded"
KEYS = (KEY, RECORDED_KEY)
"""Where the metadata of a data set say how it was recorded: block by block, or at a rate of its own."""


class EmbodimentDescription(msgspec.Struct, frozen=True):
    """`arm` name, `camera`, `action` convention, and the names of the entries of `observation.state`."""

    arm: str
    camera: CameraSpec
    action: ActionConvention
    state_names: tuple[str, ...]

    def to_metadata(self) -> dict[str, object]:
        """Return what to hand to the data set's writer."""
        return {KEY: msgspec.to_builtins(self)}


class RecordedEmbodiment(msgspec.Struct, frozen=True):
    """How a set was recorded from processes, at its own rate and size: the `arm` whose models fit, and the `cameras`,
    the first of which a model sees through unless told otherwise. A model learns from it block by block, with actions
    in `action`'s terms and a state of `state_names`."""

    arm: str
    cameras: tuple[CameraSpec, ...]
    action: ArmConvention[Any]
    state_names: tuple[str, ...]

    def to_metadata(self) -> dict[str, object]:
        """Return what to hand to the data set's writer."""
        return {RECORDED_KEY: msgspec.to_builtins(self)}

    def embodiment(self, camera: str | None = None, picture: tuple[int, int] | None = None) -> EmbodimentDescription:
        """Return the embodiment of a model that learns from the blocks of this set and sees the camera of that name, or
        the first for None.

        `picture` is the width and height to which each view's pictures are cut and resized, None for the recorded size.
        Raises `DatasetError` when there is no such camera.
        """
        names = [each.name for each in self.cameras]
        seen = self.cameras[_which(camera, names)]
        if picture is not None:
            seen = reframed(seen, picture)
        return EmbodimentDescription(self.arm, seen, self.action, self.state_names)


def read_recorded_embodiment(info: DatasetInfo) -> RecordedEmbodiment | None:
    """Return how a set was recorded from processes; None for one that holds blocks. Raises `DatasetError` when what it
    says of that is not valid, or not what its columns are."""
    if RECORDED_KEY not in info.metadata:
        return None
    try:
        recorded = msgspec.convert(info.metadata[RECORDED_KEY], RecordedEmbodiment, dec_hook=read_convention)
    except msgspec.ValidationError as error:
        raise DatasetError(
            f"the data set's worldarm.{RECORDED_KEY} entry in meta/info.json is not valid: {error}"
        ) from error
    if not recorded.cameras:
        raise DatasetError(f"the data set's worldarm.{RECORDED_KEY} entry in meta/info.json names no camera")
    for camera in recorded.cameras:
        _require_shape(info, RECORDED_KEY, image_column(camera.name), (camera.height, camera.width, 3))
    return recorded


def read_embodiment(
    info: DatasetInfo, camera: str | None = None, picture: tuple[int, int] | None = None
) -> EmbodimentDescription:
    """Return the embodiment of a model that learns from this data set and sees the camera of that name, or the first
    for None.

    `picture` is the width and height to which the pictures of each view are cut and resized where the set was recorded
    at a camera's own rate and size, None for the recorded size; a set that holds blocks has its pictures in one size
    only. Raises `DatasetError` when there is no such camera, or when what the set says of its embodiment is missing,
    not valid, or does not match its columns.
    """
    recorded = read_recorded_embodiment(info)
    if recorded is not None:
        return recorded.embodiment(camera, picture)
    try:
        embodiment = msgspec.convert(info.metadata[KEY], EmbodimentDescription, dec_hook=read_convention)
    except KeyError:
        raise DatasetError(
            "the data set does not say which camera and which action convention it was recorded with "
            f"(no worldarm.{KEY} in meta/info.json); record it with worldarm"
        ) from None
    except msgspec.ValidationError as error:
        raise DatasetError(f"the data set's worldarm.{KEY} entry in meta/info.json is not valid: {error}") from error
    seen = embodiment.camera
    _which(camera, [seen.name])
    for name, shape in (
        (ACTION, (embodiment.action.size,)),
        (STATE, (len(embodiment.state_names),)),
        (image_column(seen.name), (seen.height, seen.width, 3)),
    ):
        _require_shape(info, KEY, name, shape)
    return embodiment


def same_entry(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    """Return whether the metadata of two data sets say the same under `key`; a set that was written before action
    conventions had kinds says what it would say today."""
    return bool(_of_today(one.get(key)) == _of_today(other.get(key)))


def _of_today(entry: Any) -> Any:
    """Return an entry of the metadata as it would be written today."""
    if isinstance(entry, Mapping) and isinstance(entry.get("action"), Mapping):
        return {**entry, "action": with_kind(entry["action"])}
    return entry


def _which(camera: str | None, names: list[str]) -> int:
    """Return which of `names` is `camera`, the first for None. Raises `DatasetError` when it is none of them."""
    if camera is None:
        return 0
    if camera not in names:
        raise DatasetError(f"the data set has no camera {camera!r}; it has {', '.join(names)}")
    return names.index(camera)


def _require_shape(info: DatasetInfo, key: str, name: str, shape: tuple[int, ...]) -> None:
    """Raise `DatasetError` when the column `name` is there and not of the `shape` that the entry `key` speaks of."""
    feature = info.features.get(name)
    if feature is not None and feature.shape != shape:
        raise DatasetError(
            f"the data set's column {name!r} is of shape {feature.shape}, and its worldarm.{key} entry in "
            f"meta/info.json speaks of {shape}: one of them was changed"
        )
