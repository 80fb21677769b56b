"""Moves the arm home: every joint moves in a straight line to the start position that the arm's maker or user chose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot.client.client import Client
from robot.client.joint_move import move_straight

HOLDER = "home"


def go_home(client: Client, speed: float, on_wait: Callable[[float], None] | None = None) -> float:
    """Move the arm to its home with up to `speed` of each joint's velocity limit; return the distance moved, in rad.

    `on_wait` receives the completed share. Raises `ConfigurationError`, `Refused`, `ConnectionLost` and `ArmError` as
    `move_straight` does.
    """
    return move_straight(client, np.array(client.arm.home), speed, "its home", HOLDER, on_wait)
