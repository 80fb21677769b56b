"""A gamepad as a device: sticks that say how fast, under a dead-man's button that has to be held all the while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from robot.teleop.input import STILL, Controls, Press, Velocity
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

DEAD_ZONE = 0.15
"""Of a stick's way: worn sticks do not come back to the middle by themselves."""
DEAD_MAN = "right shoulder"
OPEN, CLOSE = "y", "a"
PRESSES: dict[str, Press] = {
    "b": Press.STOP,
    "start": Press.RESET,
    "back": Press.HOME,
    "up": Press.FASTER,
    "down": Press.SLOWER,
}
HELP = (
    "hold the right shoulder button, and: left stick forward, back, left, right   right stick up, down, turn",
    "y/a open, close the gripper   b stop, always   start reset   back home   cross up/down faster, slower",
)


@dataclass(frozen=True)
class PadState:
    """Where a gamepad's sticks are, each (x, y) in [−1, 1], right and down positive, and the names of the buttons that
    are `down`; `pressed` are those that went down since the last state, even if they are up again."""

    left: tuple[float, float] = (0.0, 0.0)
    right: tuple[float, float] = (0.0, 0.0)
    down: frozenset[str] = frozenset()
    pressed: tuple[str, ...] = ()


class Pad(Protocol):
    """Whatever a gamepad is read through."""

    def poll(self) -> PadState | None:
        """Return how the gamepad is held, without waiting; None while none is plugged in."""

    def close(self) -> None:
        """Let go of it."""


def response(stick: tuple[float, float]) -> tuple[float, float]:
    """Return the deflection that a `stick` (x, y) stands for: nothing within the dead zone about its middle, and from
    there the cube of the rest, so that small motions are fine ones. Its direction stays, its size is at most 1."""
    size = math.hypot(*stick)
    if not size > DEAD_ZONE:  # what is not a number is nothing
        return 0.0, 0.0
    share = min(1.0, (size - DEAD_ZONE) / (1.0 - DEAD_ZONE)) ** 3
    return share * stick[0] / size, share * stick[1] / size


class Gamepad:
    """The gamepad behind `pad`, as fast as `dial` says at full deflection."""

    name = "gamepad"
    help: Sequence[str] = HELP

    def __init__(self, pad: Pad, dial: Dial) -> None:
        self._pad = pad
        self._dial = dial
        self._armed = True

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return what the sticks want, while the dead-man's button is held."""
        state = self._pad.poll()
        if state is None:
            self._armed = False
            return Controls(may_move=False, away="no gamepad is plugged in")
        presses = tuple(PRESSES[name] for name in state.pressed if name in PRESSES)
        held = DEAD_MAN in state.down
        input_ = self._input(state)
        if not self._armed:
            # After an interruption, or plugged in anew: not before the sticks or the button have been let go.
            self._armed = not held or input_.is_zero
            input_ = STILL
        return Controls(input_ if held else STILL, presses, may_move=held)

    def let_go(self) -> None:
        """Move nothing before sticks and gripper buttons, or the dead-man's button, have been let go."""
        self._armed = False

    def close(self) -> None:
        """Let go of the gamepad."""
        self._pad.close()

    def _input(self, state: PadState) -> Velocity:
        right, back = response(state.left)
        turn, down = response(state.right)
        dial = self._dial
        linear = (-back * dial.linear, -right * dial.linear, -down * dial.linear)
        gripper = (OPEN in state.down) - (CLOSE in state.down)
        # Adding nothing makes nothing of its negative.
        x, y, z = (value + 0.0 for value in linear)
        return Velocity((x, y, z), -turn * dial.yaw + 0.0, gripper * dial.gripper)
