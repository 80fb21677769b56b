"""Where a camera sees a point, and where a point is that cameras see. Lenses are pinholes, as `CameraSpec` has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector
from robot.arm.rotations import rotation_matrix
from robot.errors import CameraError
from robot.wire.camera_spec import CameraSpec


@dataclass(frozen=True)
class Sight:
    """A point as a camera sees it: its place in the picture, `column` and `row` in pixels from the outer edge of the
    first, and its `depth` (m) along the optical axis."""

    column: float
    row: float
    depth: float


def sight(camera: CameraSpec, point: Vector) -> Sight | None:
    """Return where `camera` sees `point` (3,) m in the arm's base frame; None for a point that is not in its picture.
    Raises `CameraError` for a camera without a pose."""
    position, rotation = _pose(camera)
    x, y, depth = (np.asarray(point) - position) @ rotation
    if depth <= 0:
        return None
    column = camera.focal[0] * x / depth + camera.centre[0]
    row = camera.focal[1] * y / depth + camera.centre[1]
    inside = 0 <= column <= camera.width and 0 <= row <= camera.height
    return Sight(float(column), float(row), float(depth)) if inside else None


def point_at(camera: CameraSpec, column: float, row: float, height: float) -> Vector:
    """Return the point (3,) m, `height` above the arm's base, that `camera` sees at this place of its picture. Raises
    `CameraError` for a camera without a pose, and for a place at or above its horizon."""
    position, direction = _ray(camera, column, row)
    away = (height - position[2]) / direction[2] if direction[2] else -1.0
    if away <= 0:
        raise CameraError(f"camera {camera.name} sees no point {height:g} m high at column {column:.0f}, row {row:.0f}")
    return position + away * direction


def point_between(cameras: Sequence[CameraSpec], columns: Sequence[float], rows: Sequence[float]) -> Vector:
    """Return the point (3,) m nearest to the lines of sight through these places of the pictures of two or more
    `cameras`, which look from different positions. Raises `CameraError` for a camera without a pose."""
    normal, offset = np.zeros((3, 3)), np.zeros(3)
    for camera, column, row in zip(cameras, columns, rows, strict=True):
        position, direction = _ray(camera, column, row)
        across = np.eye(3) - np.outer(direction, direction)
        normal += across
        offset += across @ position
    return np.asarray(np.linalg.solve(normal, offset))


def _ray(camera: CameraSpec, column: float, row: float) -> tuple[Vector, Vector]:
    """Return the position and the direction, of length 1, of a line of sight."""
    position, rotation = _pose(camera)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    direction = rotation @ np.array([(column - cx) / fx, (row - cy) / fy, 1.0])
    return position, direction / np.linalg.norm(direction)


def _pose(camera: CameraSpec) -> tuple[Vector, NDArray[np.float64]]:
    if camera.position is None or camera.orientation is None:
        raise CameraError(
            f"camera {camera.name} has no pose, so it is not known where it sees a place: measure the pose with "
            "`worldarm calibrate hand-eye`"
        )
    return np.asarray(camera.position), rotation_matrix(camera.orientation)
