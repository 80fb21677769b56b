"""Poses of the arm that determine the camera's pose: small rotations of all joints around the present posture."""

from __future__ import annotations

import numpy as np

from robot.arm.interface import ArmSpec, Vector
from robot.client.joint_move import require_clear
from robot.errors import ConfigurationError

_TRIES_A_POSE = 40
_LIMIT_MARGIN = 0.05


def poses_around(spec: ArmSpec, middle: Vector, count: int, angle: float, seed: int = 0) -> list[Vector]:
    """Return `count` postures (n,) rad around `middle` (n,) rad; the straight path from each to the next is clear.

    The last joint, which rotates the tool in place, turns by up to twice `angle` (rad) in either direction. Each joint
    before it turns less, because it moves the tool further. Of every two clear candidates, the one less similar to the
    earlier postures is chosen. Raises `ConfigurationError` when there is too little room.
    """
    rng = np.random.default_rng(seed)
    share = np.linspace(0.25, 1.0, spec.dof)
    share[-1] = 2.0
    lower, upper = np.array(spec.lower) + _LIMIT_MARGIN, np.array(spec.upper) - _LIMIT_MARGIN
    found: list[Vector] = []
    here = middle
    for _ in range(count * _TRIES_A_POSE):
        if len(found) == count:
            return found
        two = [np.clip(middle + angle * share * rng.uniform(-1.0, 1.0, spec.dof), lower, upper) for _ in range(2)]
        clear = [joints for joints in two if _clear(spec, here, joints) and _clear(spec, joints, middle)]
        if clear:
            here = max(clear, key=lambda joints: min((_apart(joints, other) for other in found), default=0.0))
            found.append(here)
    if len(found) < count:
        raise ConfigurationError(
            f"only {len(found)} of {count} poses around the arm's present posture are clear; move the arm to the "
            "middle of its workspace, in view of the board, or give a smaller --angle"
        )
    return found


def _apart(one: Vector, other: Vector) -> float:
    return float(np.abs(one - other).max())


def _clear(spec: ArmSpec, start: Vector, end: Vector) -> bool:
    try:
        require_clear(spec, start, end, "a pose")
    except ConfigurationError:
        return False  # this pose is skipped; the caller raises when too few are left
    return True
