"""What a person wants of the arm at one moment, whichever device says it, and what a device must be to say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from robot.arm.rotations import Quaternion
from robot.wire.messages import JointState


class Press(Enum):
    """Something asked for once, at the moment at which a key or a button goes down."""

    STOP = "stop"
    RESET = "reset"
    HOME = "home"
    FASTER = "faster"
    SLOWER = "slower"
    QUIT = "quit"


@dataclass(frozen=True)
class Velocity:
    """Move the tool with `linear` (x, y, z) m/s in the base frame, turn it about the vertical with `yaw` rad/s, and
    open the gripper with `gripper` m/s, closing it where negative."""

    linear: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    gripper: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether nothing at all is to move."""
        return not (any(self.linear) or self.yaw or self.gripper)


@dataclass(frozen=True)
class JointTarget:
    """Go to `joints` (n,) rad with up to `speed` of each joint's velocity limit, the gripper `gripper_width` m wide."""

    joints: tuple[float, ...]
    gripper_width: float
    speed: float


@dataclass(frozen=True)
class ToolTarget:
    """Bring the tool to `position` (x, y, z) m and `orientation` quaternion (x, y, z, w) in the base frame, moving with
    up to `linear` m/s and turning with up to `turn` rad/s, and open the gripper with `gripper` m/s."""

    position: tuple[float, float, float]
    orientation: Quaternion
    linear: float
    turn: float
    gripper: float = 0.0


TeleopInput = Velocity | JointTarget | ToolTarget

STILL = Velocity()


@dataclass(frozen=True)
class Controls:
    """What a device says at one moment.

    `away` says in words why there is nobody at the device; empty while there is. `may_move` is whether the person holds
    what has to be held for anything to move (the dead-man's button), `input_` what is to move then. `note` is what the
    person should know, empty when nothing.
    """

    input_: TeleopInput = STILL
    presses: tuple[Press, ...] = ()
    may_move: bool = True
    away: str = ""
    note: str = ""


class Device(Protocol):
    """Where inputs come from. `name` is how the device is called, `help` its keys or buttons, a line each."""

    name: str
    help: Sequence[str]

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return what is wanted at the monotonic `now_ns`, without waiting; `follower` is the newest state of the arm
        that is moved. Raises `ConnectionLost` when the device is gone for good."""

    def let_go(self) -> None:
        """Forget what is held: the arm was interrupted, so nothing may move it again before the person has let go."""

    def close(self) -> None:
        """Leave the device as it was found."""
