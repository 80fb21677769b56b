"""The entry of an action that opens and closes the gripper: positive opens, negative closes, zero leaves it alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector

NAME = "gripper"
COMMAND = "gripper.command"
"""The entry of a state that says to which width the gripper was sent."""
STILL_M = 1e-3
"""A set-point that changes by less than this in a block leaves the gripper alone."""
ASTRAY_M = 0.01
"""How much wider or narrower than it should be a gripper may be that actions do not move."""


def gripped(width: float, value: float, opening_m: float) -> float:
    """Return how wide (m) a gripper that is `width` m wide is sent by an entry of `value`, opening to `opening_m`."""
    return width if value == 0.0 else opening_m if value > 0.0 else 0.0


def gripping(commands: Vector, opening_m: float) -> NDArray[np.float64]:
    """Return 1 (opening) or −1 (closing) for each block between `commands` (T,) m, as (T − 1,): the way in which the
    gripper was last sent, and before that, the end to which its first width is nearer."""
    change = np.diff(commands)
    way = 1.0 if commands[0] > opening_m / 2 else -1.0
    ways = np.empty(len(change))
    for block, step in enumerate(change):
        if abs(step) > STILL_M:
            way = 1.0 if step > 0 else -1.0
        ways[block] = way
    return ways
