"""The recorded arm's kinematics, kept in its data set, so that the tool's positions can be computed from the joints of
any arm without the package that drives it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import msgspec

from robot.arm.description_text import require_readable
from robot.arm.interface import ArmSpec
from robot.dataset.format.schema import DatasetInfo
from robot.errors import ConfigurationError, DatasetError

KEY = "kinematics"
"""Of the entry under "worldarm" in `meta/info.json`."""
_SHAPES = ("visual", "collision")


class ArmKinematics(msgspec.Struct, frozen=True):
    """What forward kinematics needs of the arm `name`: its `joint_names`, in the order of the columns that hold joint
    positions (rad), the robot description `urdf` (XML without shapes), and the link `tool_frame` in it."""

    name: str
    joint_names: tuple[str, ...]
    urdf: str
    tool_frame: str

    def to_metadata(self) -> dict[str, Any]:
        """Return the entry for the metadata of a data set."""
        return {KEY: msgspec.to_builtins(self)}


def kinematics_of(arm: ArmSpec) -> ArmKinematics:
    """Return the kinematics of `arm`. Raises `ConfigurationError` when its description is not XML."""
    require_readable(arm.name, arm.urdf)
    try:
        robot = ElementTree.fromstring(arm.urdf)
    except ElementTree.ParseError as error:
        raise ConfigurationError(f"the description of the arm {arm.name!r} is not XML: {error}") from error
    for link in robot.iter("link"):
        for kind in _SHAPES:
            for shape in link.findall(kind):
                link.remove(shape)
    return ArmKinematics(arm.name, arm.joint_names, ElementTree.tostring(robot, "unicode"), arm.tool_frame)


def read_kinematics(info: DatasetInfo) -> ArmKinematics | None:
    """Return the kinematics that a data set carries, None for one that carries none.

    Raises `DatasetError` when the entry is not valid.
    """
    if KEY not in info.metadata:
        return None
    try:
        found = msgspec.convert(info.metadata[KEY], ArmKinematics)
        require_readable(found.name, found.urdf)
        return found
    except (msgspec.ValidationError, ConfigurationError, RecursionError) as error:
        raise DatasetError(f"the data set's worldarm.{KEY} entry in meta/info.json is not valid: {error}") from error
