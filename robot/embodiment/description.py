"""The embodiment description of a data set and of a model that learns from it: arm, camera, actions and state.

A data set stores it in `meta/info.json` under "worldarm", a checkpoint in its card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from robot.dataset.format.columns import ACTION, STATE, image_column
from robot.dataset.format.schema import DatasetInfo
from robot.embodiment.convention import ActionConvention, ArmConvention
from robot.embodiment.convention_file import read_convention, with_kind
from robot.embodiment.joint_source import JointSource
from robot.errors import ConfigurationError, DatasetError
from robot.system.plain_json import Difference, first_difference
from robot.system.text import escape_fields
from robot.wire.camera_spec import CameraSpec, reframed

KEY = "recording"
RECORDED_KEY = "recorded"
KEYS = (KEY, RECORDED_KEY)
"""The keys in a data set's metadata: of a set that holds blocks, and of one recorded at a camera's rate."""


class EmbodimentDescription(msgspec.Struct, frozen=True):
    """`arm` name, `camera`, `action` convention, and the names of the entries of `observation.state`."""

    arm: str
    camera: CameraSpec
    action: ActionConvention
    state_names: tuple[str, ...]

    def __post_init__(self) -> None:
        escape_fields(self, ("arm", "state_names"))

    def to_metadata(self) -> dict[str, object]:
        """Return the metadata of a data set with this description."""
        return {KEY: msgspec.to_builtins(self)}


class RecordedEmbodiment(msgspec.Struct, frozen=True, omit_defaults=True):
    """The embodiment of a data set that was recorded at its own rate and picture size.

    `arm` is the name of the arm whose models fit. A model sees the first of the `cameras` unless another is chosen. It
    learns from blocks that are extracted from the set, with actions of the convention `action` and a state with the
    entries `state_names`. `source` says where a set that another program recorded holds the joints; None for
    worldarm's own, which has columns for them.
    """

    arm: str
    cameras: tuple[CameraSpec, ...]
    action: ArmConvention[Any]
    state_names: tuple[str, ...]
    source: JointSource | None = None

    def __post_init__(self) -> None:
        escape_fields(self, ("arm", "state_names"))

    def to_metadata(self) -> dict[str, object]:
        """Return the metadata of a data set with this description."""
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
    """Return the embodiment of a data set that was recorded at its own rate; None for a set that holds blocks. Raises
    `DatasetError` when its description is not valid or does not match its columns."""
    if RECORDED_KEY not in info.metadata:
        return None
    try:
        recorded = msgspec.convert(info.metadata[RECORDED_KEY], RecordedEmbodiment, dec_hook=read_convention)
    except (msgspec.ValidationError, ConfigurationError, RecursionError) as error:
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
    only. Raises `DatasetError` when there is no such camera, or when the set's description of its embodiment is
    missing, not valid, or does not match its columns.
    """
    recorded = read_recorded_embodiment(info)
    if recorded is not None:
        return recorded.embodiment(camera, picture)
    try:
        embodiment = msgspec.convert(info.metadata[KEY], EmbodimentDescription, dec_hook=read_convention)
    except KeyError:
        raise DatasetError(
            "the data set does not say which camera and which action convention it was recorded with "
            f"(no worldarm.{KEY} in meta/info.json); if another program recorded it, `worldarm dataset adopt` adds that"
        ) from None
    except (msgspec.ValidationError, ConfigurationError, RecursionError) as error:
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


def entry_difference(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> Difference | None:
    """Return where the metadata of two data sets differ under `key`, None where they agree, also when one was written
    before action conventions had a kind."""
    here, there = ({key: _of_today(each[key])} if key in each else {} for each in (one, other))
    return first_difference(here, there)


def _of_today(entry: Any) -> Any:
    """Return an entry of the metadata in its present form."""
    if isinstance(entry, Mapping) and isinstance(entry.get("action"), Mapping):
        return {**entry, "action": with_kind(entry["action"])}
    return entry


def _which(camera: str | None, names: list[str]) -> int:
    """Return the index of `camera` in `names`, 0 for None. Raises `DatasetError` when it is not there."""
    if camera is None:
        return 0
    if camera not in names:
        raise DatasetError(f"the data set has no camera {camera!r}; it has {', '.join(names)}")
    return names.index(camera)


def _require_shape(info: DatasetInfo, key: str, name: str, shape: tuple[int, ...]) -> None:
    """Raise `DatasetError` when the set has the column `name` in another `shape` than its entry `key` implies."""
    feature = info.features.get(name)
    if feature is not None and feature.shape != shape:
        raise DatasetError(
            f"the data set's column {name!r} is of shape {feature.shape}, but its worldarm.{key} entry in "
            f"meta/info.json implies {shape}: one of them was changed"
        )
