"""The installation of an arm, as its user gives it: table height, workspace, and boxes to keep out of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from robot.arm.interface import ArmSpec, Box
from robot.errors import ConfigurationError

Corners = tuple[float, float, float, float, float, float]
"""A box's lower and upper corner, x y z x y z, m in the arm's base frame."""


def apply_installation(
    spec: ArmSpec,
    table_height: float | None = None,
    workspace: Corners | None = None,
    keep_out: Sequence[Corners] = (),
) -> ArmSpec:
    """Return `spec` with `table_height` and `workspace` replaced where given, and the `keep_out` boxes added.

    Raises `ConfigurationError` for an empty box, a number that is not finite, or a table above the whole workspace.
    """
    if table_height is not None:
        if not math.isfinite(table_height):
            raise ConfigurationError(f"--table-height must be a number of metres, not {table_height:g}")
        spec = msgspec.structs.replace(spec, table_height=table_height)
    if workspace is not None:
        spec = msgspec.structs.replace(spec, workspace=_box("--workspace", workspace))
    if spec.table_height >= spec.workspace.upper[2]:
        raise ConfigurationError(
            f"the table, {spec.table_height:g} m high, leaves nothing of the workspace, whose upper end is at "
            f"{spec.workspace.upper[2]:g} m; give another --table-height or --workspace"
        )
    boxes = tuple(_box("--keep-out", corners) for corners in keep_out)
    return msgspec.structs.replace(spec, keep_out=(*spec.keep_out, *boxes))


def slowed(spec: ArmSpec, share: float) -> ArmSpec:
    """Return `spec` with this `share` of the joints' velocity, acceleration and jerk limits and the gripper's speed."""
    return msgspec.structs.replace(
        spec,
        velocity=tuple(share * each for each in spec.velocity),
        acceleration=tuple(share * each for each in spec.acceleration),
        jerk=tuple(share * each for each in spec.jerk),
        gripper_speed=share * spec.gripper_speed,
    )


def _box(option: str, corners: Corners) -> Box:
    lower, upper = corners[:3], corners[3:]
    if not all(map(math.isfinite, corners)) or any(low >= high for low, high in zip(lower, upper, strict=True)):
        raise ConfigurationError(
            f"{option} takes a lower and an upper corner, x y z x y z in metres, not {' '.join(map(str, corners))}"
        )
    return Box(lower, upper)
