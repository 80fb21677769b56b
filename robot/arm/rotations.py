"""Rotations as unit quaternions (x, y, z, w), in the order that PyBullet and ROS use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Quaternion = tuple[float, float, float, float]


def rotation_matrix(quaternion: Quaternion) -> NDArray[np.float64]:
    """Return the rotation matrix (3, 3) of a unit quaternion."""
    x, y, z, w = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def multiply(first: Quaternion, second: Quaternion) -> Quaternion:
    """Return the Hamilton product: the rotation `second` followed by `first`."""
    x1, y1, z1, w1 = first
    x2, y2, z2, w2 = second
    return (
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    )


def quaternion_of(rotation: NDArray[np.float64]) -> Quaternion:
    """Return the unit quaternion, with w ≥ 0, of a rotation matrix (3, 3)."""
    values, vectors = np.linalg.eigh(_quaternion_form(rotation))
    x, y, z, w = vectors[:, int(np.argmax(values))]
    sign = 1.0 if w >= 0 else -1.0
    return (float(sign * x), float(sign * y), float(sign * z), float(sign * w))


def _quaternion_form(r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bar-Itzhack's symmetric matrix (4, 4), whose leading eigenvector is the quaternion."""
    return (
        np.array(
            [
                [r[0, 0] - r[1, 1] - r[2, 2], 0, 0, 0],
                [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0, 0],
                [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0],
                [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
            ]
        )
        / 3
    )
