"""Bringing the arm home: every joint in a straight line to where the arm's maker or user says it starts best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot.client.client import Client
from robot.client.joint_move import move_straight

HOLDER = "home"


def go_home(client: Client, speed: float, on_wait: Callable[[float], None] | None = None) -> float:
    """Move the arm to its home with up to `speed` of each joint's velocity limit; return how far it was, in rad.

    `on_wait` and what is raised are `move_straight`'s.
    """
    return move_straight(client, np.array(client.arm.home), speed, "its home", HOLDER, on_wait)
