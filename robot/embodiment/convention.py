"""What one action means: the seams behind which tool displacements, joint displacements and plain boxes stand.

A convention is a frozen struct, so that it travels inside data sets and checkpoints: a model only knows what its
actions did under the convention it was trained with. `robot.embodiment.convention_file` writes and reads it.
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
"""A convention's own set-point: where the arm is sent, in the terms in which its actions move it."""


@runtime_checkable
class ActionConvention(Protocol):
    """What every convention says of its actions, (size,) in [−1, 1], each of which holds for one block."""

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
        """Return for each entry 1, or −1 where reflection in the arm's plane y = 0 turns it round.

        Raises `ConfigurationError` when the mirror image of an action is no action of this convention.
        """


@runtime_checkable
class ArmConvention(ActionConvention, Protocol[Target]):
    """A convention whose actions move an arm: how a block is carried out live, and how it is read off a recording.

    `Target` is the convention's own set-point. Nobody else looks into it: it comes from `set_point` or `target`, and
    goes into `target` and `block`.
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """What an arm should feel that is moved so: the state of a set that is recorded for this convention."""

    def yaw(self, rotation: NDArray[np.float64]) -> float:
        """Return by how much (rad, about the vertical) a tool of `rotation` (3, 3) is turned from the rotation that
        the convention counts from."""

    def set_point(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> Target:
        """Return the set-point nearest to an arm at `joints` (n,) rad with its gripper `gripper_width` m wide.

        Raises `ConfigurationError` for an arm that the convention does not fit.
        """

    def target(self, tool: Target, action: Vector, /) -> Target:
        """Return where `action` (size,) takes the set-point, inside the convention's bounds."""

    def block(
        self, kinematics: Kinematics, start: Target, end: Target, seed: Vector, start_ns: int
    ) -> tuple[Waypoint, ...]:
        """Return the joint waypoints of one block from set-point `start` to `end`: the first at `start_ns` itself, the
        last at the block's end. `seed` (n,) rad are the joints at `start`.

        Raises `UnreachableError` when the arm cannot get there.
        """

    def ready(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> bool:
        """Return whether actions may begin with the arm at `joints` (n,) rad and the gripper `gripper_width` m wide."""

    def entry(self, kinematics: Kinematics, joints: Vector, gripper_width: float) -> tuple[Waypoint, ...]:
        """Return waypoints, timed from 0, that bring the arm from `joints` (n,) rad to where actions may begin.

        Raises `UnreachableError` when there is no way.
        """

    def describes(self, sample: ArmSample) -> bool:
        """Return whether an action of this convention can have sent the arm where it was sent at that moment."""

    def actions_between(self, series: SampleSeries, times: Vector) -> NDArray[np.float64]:
        """Return the actions (T − 1, size) that took the set-point of a recording from each of the `times` (T,) s to
        the next; they may exceed [−1, 1]."""


def arm_convention(action: ActionConvention) -> ArmConvention[Any]:
    """Return `action` as the convention of an arm. Raises `ConfigurationError` for one that moves no arm."""
    if isinstance(action, ArmConvention):
        return action
    raise ConfigurationError(f"actions of the kind {type(action).__name__} move no arm, but an environment")
