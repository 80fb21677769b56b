"""Where to move the arm so that its poses tell where the camera is: small turns of all joints around where it is."""

from __future__ import annotations

import numpy as np

from robot.arm.interface import ArmSpec, Vector
from robot.client.joint_move import require_clear
from robot.errors import ConfigurationError

_TRIES_A_POSE = 40
_LIMIT_MARGIN = 0.05


def poses_around(spec: ArmSpec, middle: Vector, count: int, angle: float, seed: int = 0) -> list[Vector]:
    """Return `count` postures (n,) rad around `middle` (n,) rad, each reached from the one before it on a straight and
    clear way.

    The last joint, which turns the tool on the spot, goes up to twice `angle` (rad) either way, those before it less
    and less: they carry the tool far. Far from each other: of each two candidates that are clear, the one that is less
    like those before it. Raises `ConfigurationError` when there is too little room.
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
            f"around where the arm is, only {len(found)} of {count} poses are clear of everything; bring it to the "
            "middle of its room, in view of the board, or give a smaller --angle"
        )
    return found


def _apart(one: Vector, other: Vector) -> float:
    return float(np.abs(one - other).max())


def _clear(spec: ArmSpec, start: Vector, end: Vector) -> bool:
    try:
        require_clear(spec, start, end, "a pose")
    except ConfigurationError:
        return False  # this one is not gone to; when too few are left, the caller says so
    return True
