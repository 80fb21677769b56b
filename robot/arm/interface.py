"""What an arm is to the driver: a specification, and five calls at the loop rate.

The same protocol stands before the simulated arm and every real one, so the driver, its governor and its
watchdog are one piece of code for all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class Box(msgspec.Struct, frozen=True):
    """An axis-aligned box in the arm's base frame; `lower` and `upper` are (x, y, z) in metres."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]


class Capsule(msgspec.Struct, frozen=True):
    """A body of the arm, as all points within `radius` (m) of the line from `start` to `end`, (x, y, z) m in the frame
    of `link`. One that `handles` things may touch the table, as a gripper's fingers must."""

    link: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    handles: bool = False


class ArmSpec(msgspec.Struct, frozen=True):
    """Everything that a stranger must know to command an arm safely.

    Joint vectors are ordered as `joint_names` and have length n; SI units, radians. `urdf` is the XML text of
    the robot description (it may hold more joints than `joint_names`, such as fingers; those stay fixed),
    `tool_frame` the name of the link in it whose pose is "the end effector". `workspace` bounds the origin of
    the tool frame and `table_height` the lowest z (m) it may take.

    `bodies` are what must stay clear of each other, of the table and of the boxes to `keep_out` of; `effort` (n,) N·m
    is what a joint may measure before the arm is stopped, empty when it measures none. `models_of` is the name of the
    arm whose learnt models fit this one, because it has the same joints, tool, home and rate; empty when only its own
    do.
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
    """Where a simulated object is: `position` (x, y, z) m and `orientation` quaternion (x, y, z, w)."""

    name: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]


class ArmOptions(msgspec.Struct, frozen=True):
    """What the user tells a factory of arms: the `address` of a real one, a host or a serial port, and the file of its
    `calibration`, where it has one."""

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
        """Leave the arm holding its position by itself; called once on the way out, never drops torque."""

    def close(self) -> None:
        """Release the link; the arm keeps holding."""


@runtime_checkable
class Readable(Protocol):
    """An arm that can be read without being enabled, so that a person can move it by hand, as a leader."""

    spec: ArmSpec

    def start_reading(self) -> None:
        """Open the link and enable nothing: the arm is left as it is. Raises `ArmError`, also where it would not give
        way to a hand."""

    def read(self) -> Reading:
        """Return the newest measurement. Raises `ArmError` when the link is lost."""

    def close(self) -> None:
        """Release the link; the arm is left as it is."""


@runtime_checkable
class HasScene(Protocol):
    """A simulated arm also owns the objects around it; a real one does not have these calls."""

    def objects(self) -> tuple[ObjectPose, ...]:
        """Return the poses of all objects."""

    def place(self, objects: tuple[ObjectPose, ...]) -> None:
        """Put the named objects where told, at rest. Raises `ConfigurationError` for an unknown name."""
