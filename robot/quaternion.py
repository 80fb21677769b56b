"""Rotations as unit quaternions (x, y, z, w), the way PyBullet and ROS write them."""

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
