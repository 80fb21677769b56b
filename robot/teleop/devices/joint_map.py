"""The map from a leader's joints to those of the arm that follows it, from a small JSON file.

    {
      "joints": {
        "panda_joint1": {"from": "shoulder_pan", "sign": -1, "scale": 1.2, "offset": 0.1}
      },
      "gripper": {"scale": 1.14, "offset": 0.0}
    }

A following joint moves to sign × scale × the leader's angle + offset (rad), the gripper to scale × the leader's width
+ offset (m). Joints that are not named stay where they are. "sign" is 1, "scale" 1 and "offset" 0 when left out.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from robot.arm.interface import ArmSpec, Vector
from robot.errors import ConfigurationError
from robot.system.bounds import MAX_SMALL_JSON_BYTES
from robot.system.files import read_bounded
from robot.wire.messages import JointState

_Scale = Annotated[float, msgspec.Meta(gt=0.0, le=10.0)]
_Angle = Annotated[float, msgspec.Meta(ge=-2.0 * math.pi, le=2.0 * math.pi)]
_Metres = Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)]


class JointSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of one joint's angle: the leader's joint `source`, times `sign` and `scale`, plus `offset` (rad)."""

    source: str = msgspec.field(name="from")
    sign: Literal[-1, 1] = 1
    scale: _Scale = 1.0
    offset: _Angle = 0.0


class GripperSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The source of the gripper's width: the leader's width, times `scale`, plus `offset` (m)."""

    scale: _Scale = 1.0
    offset: _Metres = 0.0


class MapFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of the file: the source of each following joint, by its name, and of the gripper if it follows."""

    joints: dict[str, JointSource]
    gripper: GripperSource | None = None


class JointMap:
    """Computes a follower's joints from a leader's. `names` are the joints that follow, `follows` (m,) their indices,
    `leads` (m,) those of the leader's joints that lead them."""

    def __init__(self, content: MapFile, leader: ArmSpec, follower: ArmSpec, called: str) -> None:
        """Check the map, which errors name `called`, against both arms. Raises `ConfigurationError` for a joint that an
        arm does not have, and for an empty map."""
        if not content.joints:
            raise ConfigurationError(f"{called} maps no joint")
        for name, source in content.joints.items():
            for arm, joint in ((follower, name), (leader, source.source)):
                if joint not in arm.joint_names:
                    raise ConfigurationError(
                        f"{called} names the joint {joint!r}, which {arm.name} does not have; its joints are "
                        f"{', '.join(arm.joint_names)}"
                    )
        self.names = tuple(content.joints)
        sources = content.joints.values()
        self.follows = np.array([follower.joint_names.index(name) for name in self.names])
        self.leads = np.array([leader.joint_names.index(source.source) for source in sources])
        self._factor = np.array([source.sign * source.scale for source in sources])
        self._offset = np.array([source.offset for source in sources])
        self.gripper = content.gripper
        self._range = follower.gripper_range

    def joints(self, leader: JointState) -> Vector:
        """Return the targets of the following joints, (m,) rad in the order of `names`, from the leader's measured."""
        return self._factor * np.asarray(leader.measured)[self.leads] + self._offset

    def width(self, leader: JointState, otherwise: float) -> float:
        """Return the target width of the follower's gripper, m, in its range; `otherwise` when it does not follow."""
        if self.gripper is None:
            return otherwise
        closed, opened = self._range
        return min(max(self.gripper.scale * leader.gripper_width + self.gripper.offset, closed), opened)


def read_joint_map(path: Path | None, leader: ArmSpec, follower: ArmSpec) -> JointMap:
    """Return the map in the file `path`. For None, each joint follows the leader's joint of the same name, and the
    gripper opens by the same share of its range.

    Raises `ConfigurationError` for a file that cannot be read or does not fit the arms; for None, when the arms' joint
    names differ.
    """
    if path is None:
        if set(leader.joint_names) != set(follower.joint_names):
            raise ConfigurationError(
                f"the joint names of {leader.name} and {follower.name} differ: give --joint-map FILE, which says which "
                "joint moves which"
            )
        opens = leader.gripper_range[1]
        gripper = GripperSource(follower.gripper_range[1] / opens) if opens > 0 else None
        same = MapFile({name: JointSource(name) for name in follower.joint_names}, gripper)
        return JointMap(same, leader, follower, "the map of equal names")
    try:
        content = msgspec.json.decode(read_bounded(path, MAX_SMALL_JSON_BYTES), type=MapFile)
    except OSError as error:
        raise ConfigurationError(f"the joint map {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not a joint map: {error}") from error
    return JointMap(content, leader, follower, str(path))
