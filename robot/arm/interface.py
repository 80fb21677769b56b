"""The arm as the driver sees it: a specification, and five calls at the loop rate.

Simulated and real arms implement the same protocol, so the driver, its governor and its watchdog are the same code for
all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from robot.system.text import escape_fields

Vector = NDArray[np.float64]


class Box(msgspec.Struct, frozen=True):
    """An axis-aligned box in the arm's base frame; `lower` and `upper` are (x, y, z) in metres."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]


class Capsule(msgspec.Struct, frozen=True):
    """A body of the arm: all points within `radius` (m) of the line from `start` to `end`, (x, y, z) m in the frame of
    `link`. A body with `handles` may touch the table, as a gripper's fingers must."""

    link: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    handles: bool = False

    def __post_init__(self) -> None:
        escape_fields(self, ("link",))


class ArmSpec(msgspec.Struct, frozen=True):
    """Everything that a client must know to command an arm safely.

    Joint vectors are ordered as `joint_names` and have length n; SI units, radians. `urdf` is the XML text of the robot
    description (it may hold more joints than `joint_names`, such as fingers; those stay fixed), `tool_frame` the name
    of its link that is the end effector. `workspace` bounds the origin of the tool frame and `table_height` the lowest
    z (m) it may take.

    `bodies` must stay clear of each other, of the table and of the `keep_out` boxes. `effort` (n,) N·m is the largest
    measured effort of each joint before the arm is stopped; it is empty when the arm measures none. `models_of` names
    the arm whose learnt models also fit this one, because both have the same joints, tool, home and rate; it is empty
    when only this arm's own models fit.

    An arm that follows lags behind by at most `lag_s` seconds, and then is within `follow_error` (rad) of its
    set-point, under its usual load. `gripper_speed` (m/s) is the fastest that the set-point of the gripper's width
    changes.
    """

    name: str
    joint_names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    velocity: tuple[float, ...]
    acceleration: tuple[float, ...]
    jerk: tuple[float, ...]
    rate_hz: float
    urdf: str
    tool_frame: str
    home: tuple[float, ...]
    workspace: Box
    table_height: float
    gripper_range: tuple[float, float]
    bodies: tuple[Capsule, ...] = ()
    keep_out: tuple[Box, ...] = ()
    effort: tuple[float, ...] = ()
    models_of: str = ""
    lag_s: float = 0.4
    follow_error: float = 0.15
    gripper_speed: float = 0.2

    def __post_init__(self) -> None:
        escape_fields(self, ("name", "joint_names", "tool_frame", "models_of"))

    @property
    def dof(self) -> int:
        """Number of joints n."""
        return len(self.joint_names)


class Reading(msgspec.Struct, frozen=True):
    """One measurement of the arm: `time_ns` monotonic, `positions` and `velocities` (n,) rad and rad/s,
    `gripper_width` in metres, and `efforts` (n,) N·m, empty for an arm that measures none."""

    time_ns: int
    positions: tuple[float, ...]
    velocities: tuple[float, ...]
    gripper_width: float
    efforts: tuple[float, ...] = ()


class ObjectPose(msgspec.Struct, frozen=True):
    """The pose of a simulated object: `position` (x, y, z) m and `orientation` quaternion (x, y, z, w)."""

    name: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        escape_fields(self, ("name",))


class ArmOptions(msgspec.Struct, frozen=True):
    """What the user passes to an arm's factory: the `address` of a real arm (a host or a serial port) and its
    `calibration` file, where it has one."""

    address: str | None = None
    calibration: Path | None = None


class Arm(Protocol):
    """An arm that the driver can run: position-controlled, polled at `spec.rate_hz`."""

    spec: ArmSpec

    def start(self) -> None:
        """Open the link and enable the arm without moving it. Raises `ArmError`."""

    def read(self) -> Reading:
        """Return the newest measurement. Raises `ArmError` when the link is lost."""

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Command joint set-points (n,) rad and the gripper's width (m) for the next period. Raises `ArmError`."""

    def park(self) -> None:
        """Leave the arm holding its position by itself, without dropping torque; called once at shutdown."""

    def close(self) -> None:
        """Release the link; the arm keeps holding."""


@runtime_checkable
class Readable(Protocol):
    """An arm that can be read without being enabled, so that a person can move it by hand, as a leader."""

    spec: ArmSpec

    def start_reading(self) -> None:
        """Open the link and enable nothing: the arm's state does not change. Raises `ArmError`, also when a person
        could not move the arm by hand."""

    def read(self) -> Reading:
        """Return the newest measurement. Raises `ArmError` when the link is lost."""

    def close(self) -> None:
        """Release the link; the arm's state does not change."""


@runtime_checkable
class Inspectable(Protocol):
    """An arm that can be measured before it is enabled, so that one that must not be enabled is left as it is."""

    def inspect(self) -> Reading:
        """Open the link and return where the arm stands, without writing anything to it; `start` or `close` follows.
        Raises `ArmError`, also for an arm in an error state."""


@runtime_checkable
class Recoverable(Inspectable, Protocol):
    """An arm whose motors can bring it back from outside its limits."""

    def allow_outside(self, speed: float) -> None:
        """Let the next `start` accept joints outside their limits; no motor then turns faster than `speed` rad/s,
        whatever its set-point."""


@runtime_checkable
class HasScene(Protocol):
    """A simulated arm that also owns the objects around it; a real arm does not have these calls."""

    def objects(self) -> tuple[ObjectPose, ...]:
        """Return the poses of all objects."""

    def place(self, objects: tuple[ObjectPose, ...]) -> None:
        """Put the named objects at the given poses, at rest. Raises `ConfigurationError` for an unknown name."""
