"""Cameras of the simulated scene, and the OpenGL matrices of a pinhole camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from robot.arm.rotations import quaternion_of, rotation_matrix
from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec, rig

NEAR_M, FAR_M = 0.05, 4.0
# Low enough to see past the gripper to a cube behind it: from a steeper angle, the gripper hides it twice as often.
FRONT_EYE = (1.30, 0.0, 0.66)
FRONT_TARGET = (0.515, 0.0, 0.04)
FRONT_FIELD_OF_VIEW = 32.5
# Narrower, for smaller objects, and aimed slightly higher, for carried objects.
TABLETOP_TARGET = (0.49, 0.0, 0.065)
TABLETOP_FIELD_OF_VIEW = 23.0
SIDE_EYE = (0.50, -0.95, 0.45)
SIDE_TARGET = (0.50, 0.0, 0.06)
SIDE_FIELD_OF_VIEW = 33.0
LEAST_TILT = 1e-6


def front_camera(width: int = 64, height: int = 64) -> CameraSpec:
    """Return the camera in front of the arm, looking back over the workspace."""
    return camera_looking_at("front", FRONT_EYE, FRONT_TARGET, FRONT_FIELD_OF_VIEW, width, height)


def tabletop_camera(width: int = 64, height: int = 64) -> CameraSpec:
    """Return the camera in front of the arm with the longer lens, for grasping."""
    return camera_looking_at("tabletop", FRONT_EYE, TABLETOP_TARGET, TABLETOP_FIELD_OF_VIEW, width, height)


def side_camera(width: int = 64, height: int = 64) -> CameraSpec:
    """Return the camera to the arm's right, looking across the table."""
    return camera_looking_at("side", SIDE_EYE, SIDE_TARGET, SIDE_FIELD_OF_VIEW, width, height)


def tabletop_rig(width: int = 64, height: int = 128) -> CameraSpec:
    """Return the rig for grasping: the camera in front and, below it in the picture, the camera at the side. One sees
    what the gripper hides from the other. Raises `ConfigurationError` for an odd `height`."""
    if height % 2:
        raise ConfigurationError(f"two pictures are stacked in one {height} pixels high; make that an even number")
    front, side = tabletop_camera(width, height // 2), side_camera(width, height // 2)
    return rig("tabletop-rig", (front, side))


VIEWS: Mapping[str, Callable[[int, int], CameraSpec]] = MappingProxyType(
    {"front": front_camera, "tabletop": tabletop_camera, "side": side_camera, "tabletop-rig": tabletop_rig}
)
"""The simulated cameras by name."""


def camera_named(name: str, width: int, height: int | None = None) -> CameraSpec:
    """Return the simulated camera `name`; `RIG.2` is the second view of a rig. Without a `height` its pictures, and
    each view of a rig, are square. Raises `ConfigurationError` when there is no such camera."""
    whole, dot, number = name.rpartition(".")
    if dot and number.isdecimal():
        stack = camera_named(whole, width, None if height is None else height * len(camera_named(whole, width).views))
        return stack.view(int(number))
    if name not in VIEWS:
        raise ConfigurationError(f"the simulation has no camera called {name!r}; it has {', '.join(VIEWS)}")
    make = VIEWS[name]
    if height is None:
        height = width * len(make(width, 2 * width).views)
    return make(width, height)


def camera_looking_at(
    name: str,
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    field_of_view: float,
    width: int,
    height: int,
) -> CameraSpec:
    """Return a pinhole camera at `eye` (m) that looks at `target` (m), with a vertical field of view of `field_of_view`
    degrees and z upwards.

    Raises `ConfigurationError` when it would look straight up or down, or when `eye` and `target` coincide: the upward
    direction is then undefined.
    """
    forward = np.subtract(target, eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) <= LEAST_TILT * np.linalg.norm(forward):
        raise ConfigurationError(f"the camera {name!r} at {eye} looks straight up or down at {target}; move it aside")
    forward = forward / np.linalg.norm(forward)
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    focal = height / 2 / float(np.tan(np.deg2rad(field_of_view) / 2))
    orientation = quaternion_of(np.stack([right, down, forward], axis=1))
    return CameraSpec(name, width, height, (focal, focal), (width / 2, height / 2), eye, orientation)


@lru_cache(maxsize=32)
def look_matrices(camera: CameraSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return OpenGL's view and projection matrices (column-major, 16 each) of `camera`.

    Raises `ValueError` when the camera's pose is not known, and for a rig.
    """
    if camera.position is None or camera.orientation is None:
        raise ValueError(f"camera {camera.name!r} has no pose; it cannot be rendered")
    rotation = rotation_matrix(camera.orientation)  # columns: right, down, forward in the base frame
    if camera.below:
        raise ValueError(f"camera {camera.name!r} is a rig; render each of its views")
    view = np.eye(4)
    view[:3, :3] = np.stack([rotation[:, 0], -rotation[:, 1], -rotation[:, 2]])
    view[:3, 3] = -view[:3, :3] @ np.asarray(camera.position)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    width, height = camera.width, camera.height
    projection = np.zeros((4, 4))
    projection[0, 0] = 2 * fx / width
    projection[1, 1] = 2 * fy / height
    projection[0, 2] = 1 - 2 * cx / width
    projection[1, 2] = 2 * cy / height - 1
    projection[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
    projection[2, 3] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    projection[3, 2] = -1
    return tuple(view.T.ravel().tolist()), tuple(projection.T.ravel().tolist())
