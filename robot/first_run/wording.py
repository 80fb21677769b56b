"""What a person should see when a joint turns, in words: which way round, seen from where, and where the tool goes."""

from __future__ import annotations

import numpy as np

from robot.arm.interface import Vector
from robot.arm.kinematics import Kinematics

_SEEN_FROM = ("from the front, looking at the arm", "from the arm's left", "from above")
_WAYS = (("forward", "back"), ("left", "right"), ("up", "down"))
_WORTH_SAYING_M = 0.005


def way_round(kinematics: Kinematics, joints: Vector, joint: int, by: float) -> str:
    """Return how joint number `joint` turns by `by` rad at `joints` (n,) rad, and seen from where."""
    axis = kinematics.jacobian(joints)[3:, joint] * np.sign(by)
    main = int(np.abs(axis).argmax())
    return f"{'counter-clockwise' if axis[main] > 0 else 'clockwise'} seen {_SEEN_FROM[main]}"


def tool_way(kinematics: Kinematics, start: Vector, end: Vector) -> str:
    """Return where the tool's tip goes between the joints `start` and `end` (n,) rad."""
    moved = kinematics.position(end) - kinematics.position(start)
    words = [
        f"{100 * abs(by):.0f} cm {ways[0] if by > 0 else ways[1]}"
        for by, ways in zip(moved, _WAYS, strict=True)
        if abs(by) >= _WORTH_SAYING_M
    ]
    return f"the tool's tip goes {' and '.join(words)}" if words else "the tool's tip stays about where it is"


def tool_place(position: Vector) -> str:
    """Return the place (3,) m of the tool's tip in words."""
    x, y, z = (100 * float(each) for each in position)
    return (
        f"{abs(x):.0f} cm {'in front of' if x >= 0 else 'behind'} the middle of the base, {abs(y):.0f} cm to the "
        f"{'left' if y >= 0 else 'right'}, and {abs(z):.0f} cm {'above' if z >= 0 else 'below'} its foot"
    )
