"""The speed limits of teleoperation, and the dial that sets which share of them is used."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robot.errors import ConfigurationError

SLOWEST = 0.05
_NOTCH = math.sqrt(2.0)
MOST_M_S = 1.0
MOST_RAD_S = 3.0
MOST_GRIPPER_M_S = 0.2
"""The gripper speed of the driver's trajectories, m/s."""


@dataclass(frozen=True)
class Limits:
    """The highest speeds that teleoperation asks of the arm: of the tool `linear` m/s and `yaw` rad/s, of the gripper
    `gripper` m/s, and `joints`, a share of each joint's velocity limit.

    Raises `ConfigurationError` for a value that is not positive or too large.
    """

    linear: float = 0.15
    yaw: float = 0.8
    gripper: float = 0.08
    joints: float = 0.3

    def __post_init__(self) -> None:
        most = (
            ("max-speed", self.linear, MOST_M_S, "m/s"),
            ("max-turn", self.yaw, MOST_RAD_S, "rad/s"),
            ("max-gripper", self.gripper, MOST_GRIPPER_M_S, "m/s"),
            ("max-joints", self.joints, 1.0, "of each joint's velocity limit"),
        )
        for option, value, bound, unit in most:
            if not 0.0 < value <= bound:  # also true of NaN
                raise ConfigurationError(f"--{option} must be above 0 and at most {bound:g} {unit}, not {value:g}")


class Dial:
    """Sets the share of `limits` that is used, in steps (notches); it starts at `share`.

    Raises `ConfigurationError` for a share outside 0.05 to 1.
    """

    def __init__(self, limits: Limits, share: float) -> None:
        if not SLOWEST <= share <= 1.0:
            raise ConfigurationError(f"--speed must be from {SLOWEST:g} to 1, not {share:g}")
        self.limits = limits
        self.share = share

    @property
    def linear(self) -> float:
        """The tool's speed at full deflection, m/s."""
        return self.share * self.limits.linear

    @property
    def yaw(self) -> float:
        """The tool's turning speed at full deflection, rad/s."""
        return self.share * self.limits.yaw

    @property
    def gripper(self) -> float:
        """The gripper's speed at full deflection, m/s. The dial does not slow it, since its range is short."""
        return self.limits.gripper

    @property
    def joints(self) -> float:
        """The share of each joint's velocity limit that a leader arm may use."""
        return self.limits.joints

    def turn(self, notches: int) -> None:
        """Change the speed by `notches`, negative for slower; two notches double the speed."""
        self.share = min(1.0, max(SLOWEST, self.share * _NOTCH**notches))

    def set(self, share: float) -> None:
        """Set the share, limited to 0.05 to 1."""
        self.share = min(1.0, max(SLOWEST, share))
