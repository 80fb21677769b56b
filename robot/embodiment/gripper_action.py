"""The entry of an action that opens and closes the gripper: positive opens, negative closes, zero leaves it alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import Vector

NAME = "gripper"
COMMAND = "gripper.command"
"""The entry of a state with the width that was commanded."""
STILL_M = 1e-3
"""A commanded width that changes by less than this within a block counts as unchanged."""
WIDTH_TOLERANCE_M = 0.01
"""How far a recorded gripper's commanded width may be from the convention's, where actions do not move it."""


def commanded_width(width: float, value: float, opening_m: float) -> float:
    """Return the width (m) that `value` commands when the commanded width was `width` m: `opening_m` for opening, 0 for
    closing."""
    return width if value == 0.0 else opening_m if value > 0.0 else 0.0


def gripper_actions(commands: Vector, opening_m: float) -> NDArray[np.float64]:
    """Return the entry of each block between the commanded widths `commands` (T,) m, as (T − 1,): 1 opens, −1 closes.

    The entry is the direction of the last change. Before the first change it is the end to which the width is nearer.
    """
    change = np.diff(commands)
    direction = 1.0 if commands[0] > opening_m / 2 else -1.0
    directions = np.empty(len(change))
    for block, step in enumerate(change):
        if abs(step) > STILL_M:
            direction = 1.0 if step > 0 else -1.0
        directions[block] = direction
    return directions
