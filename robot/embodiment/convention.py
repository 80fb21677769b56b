"""The protocols of action conventions: `ActionConvention` for all, `ArmConvention` for those that move an arm.

A convention is a frozen msgspec struct, which data sets and checkpoints store: a model only knows what its actions did
under the convention that it was trained with. `robot.embodiment.convention_file` reads it.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics
from robot.embodiment.arm_sample import ArmSample
from robot.embodiment.sample_series import SampleSeries
from robot.errors import ConfigurationError
from robot.wire.messages import Waypoint

Target = TypeVar("Target")
"""A convention's own type of set-point: where the arm is sent, in the coordinates that actions change."""


@runtime_checkable
class ActionConvention(Protocol):
    """The meaning of actions (size,) in [−1, 1], each of which is carried out for one block."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each entry of an action."""

    @property
    def size(self) -> int:
        """Length of an action."""

    @property
    def binary(self) -> tuple[int, ...]:
        """The entries of an action of which only the sign counts."""

    @property
    def block_s(self) -> float:
        """Duration of a block in seconds."""

    @property
    def block_ns(self) -> int:
        """Duration of a block in nanoseconds."""

    def mirror_signs(self) -> tuple[float, ...]:
        """Return for each entry −1 where reflection in the plane y = 0 of the base frame reverses it, else 1.

        Raises `ConfigurationError` when the mirror image of an action is not an action of this convention.
        """


@runtime_checkable
class ArmConvention(ActionConvention, Protocol[Target]):
    """A convention whose actions move an arm: how a block is carried out, and how it is extracted from a recording.

    `Target` is the convention's own type of set-point. Callers pass it on without reading it: `set_point` and `target`
    return it, `target` and `block` take it.
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """The entries of the state in data sets that are recorded for this convention."""

    def yaw(self, rotation: NDArray[np.float64]) -> float:
        """Return the angle (rad) about the vertical from the convention's reference rotation to `rotation` (3, 3)."""

    def set_point(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> Target:
        """Return the set-point nearest to `joints` (n,) rad and a gripper that is `gripper_width` m wide.

        Raises `ConfigurationError` when the convention is for another arm.
        """

    def target(self, tool: Target, action: Vector, /) -> Target:
        """Return the set-point to which `action` (size,) moves `tool`, inside the convention's bounds."""

    def block(
        self, kinematics: Kinematics, start: Target, end: Target, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from set-point `start` to `end`: the first at `start_ns` itself, the
        last at the block's end. `seed` (n,) rad are the joints at `start`.

        Raises `UnreachableError` when the arm cannot get there.
        """

    def ready(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> bool:
        """Return whether the first block may begin at `joints` (n,) rad with the gripper `gripper_width` m wide."""

    def entry(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> tuple[Waypoint, ...]:
        """Return waypoints, timed from 0, that move the arm from `joints` (n,) rad to a posture that is `ready`.

        Raises `UnreachableError` when there is no such path.
        """

    def describes(self, sample: ArmSample) -> bool:
        """Return whether actions of this convention can have led to the set-point of `sample`."""

    def actions_between(self, series: SampleSeries, times: Vector) -> NDArray[np.float64]:
        """Return the actions (T − 1, size) that moved the recorded set-point from each of the `times` (T,) s to the
        next; they may exceed [−1, 1]."""


def arm_convention(action: ActionConvention) -> ArmConvention[Any]:
    """Return `action` when its actions move an arm. Raises `ConfigurationError` when they do not."""
    if isinstance(action, ArmConvention):
        return action
    raise ConfigurationError(f"{type(action).__name__} actions are for Gymnasium environments; they cannot move an arm")
