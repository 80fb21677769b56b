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
