"""The inputs of teleoperation: what a person asks of the arm at one moment, and the interface of an input device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from robot.arm.rotations import Quaternion
from robot.wire.messages import JointState


class Press(Enum):
    """A request that is made once, when a key or button goes down."""

    STOP = "stop"
    RESET = "reset"
    HOME = "home"
    FASTER = "faster"
    SLOWER = "slower"
    QUIT = "quit"


@dataclass(frozen=True)
class Velocity:
    """Move the tool at `linear` (x, y, z) m/s in the base frame, turn it about the vertical at `yaw` rad/s, and open
    the gripper at `gripper` m/s; a negative value closes it."""

    linear: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw: float = 0.0
    gripper: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether nothing is to move."""
        return not (any(self.linear) or self.yaw or self.gripper)


@dataclass(frozen=True)
class JointTarget:
    """Move to `joints` (n,) rad at up to the share `speed` of each joint's velocity limit, and to `gripper_width` m."""

    joints: tuple[float, ...]
    gripper_width: float
    speed: float


@dataclass(frozen=True)
class ToolTarget:
    """Move the tool to `position` (x, y, z) m and `orientation` quaternion (x, y, z, w) in the base frame, at up to
    `linear` m/s and `turn` rad/s, and open the gripper at `gripper` m/s."""

    position: tuple[float, float, float]
    orientation: Quaternion
    linear: float
    turn: float
    gripper: float = 0.0


TeleopInput = Velocity | JointTarget | ToolTarget

STILL = Velocity()


@dataclass(frozen=True)
class Controls:
    """The state of a device at one moment.

    `away` says why nobody is at the device; it is empty while somebody is. `may_move` is whether the person holds the
    dead-man's button, where the device has one; `input_` is the motion asked for. `note` is a message for the person,
    empty when there is none.
    """

    input_: TeleopInput = STILL
    presses: tuple[Press, ...] = ()
    may_move: bool = True
    away: str = ""
    note: str = ""
    news: str = ""


class Device(Protocol):
    """A source of inputs. `name` is the device's name, `help` describes its keys or buttons, line by line."""

    name: str
    help: Sequence[str]

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the device's state at the monotonic `now_ns`, without waiting; `follower` is the newest state of the
        moved arm. Raises `ConnectionLost` when the device is permanently gone."""

    def let_go(self) -> None:
        """Ignore what is held now: the arm was interrupted, and must not move again before the person has let go."""

    def close(self) -> None:
        """Release the device and restore its earlier state."""
