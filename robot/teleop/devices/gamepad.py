"""A gamepad as an input device: sticks set the speed while a dead-man's button is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from robot.teleop.input import STILL, Controls, Press, Velocity
from robot.teleop.speed_limits import Dial
from robot.wire.messages import JointState

DEAD_ZONE = 0.15
"""Share of a stick's range: worn sticks do not return to the middle exactly."""
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
    """A gamepad's sticks, each (x, y) in [−1, 1], right and down positive, and the names of the buttons that are
    `down`; `pressed` are those that went down since the last state, even if they are up again."""

    left: tuple[float, float] = (0.0, 0.0)
    right: tuple[float, float] = (0.0, 0.0)
    down: frozenset[str] = frozenset()
    pressed: tuple[str, ...] = ()


class Pad(Protocol):
    """A library through which a gamepad is read."""

    def poll(self) -> PadState | None:
        """Return the gamepad's state, without waiting; None while none is plugged in."""

    def close(self) -> None:
        """Release the gamepad."""


def response(stick: tuple[float, float]) -> tuple[float, float]:
    """Return the effective deflection of a `stick` (x, y): zero within the dead zone around its middle, and beyond it
    the cube of the rest, so that small motions are fine. Its direction stays, and its size is at most 1."""
    size = math.hypot(*stick)
    if not size > DEAD_ZONE:  # also true of NaN
        return 0.0, 0.0
    share = min(1.0, (size - DEAD_ZONE) / (1.0 - DEAD_ZONE)) ** 3
    return share * stick[0] / size, share * stick[1] / size


class Gamepad:
    """The gamepad that `pad` reads; `dial` sets the speed at full deflection."""

    name = "gamepad"
    help: Sequence[str] = HELP

    def __init__(self, pad: Pad, dial: Dial) -> None:
        self._pad = pad
        self._dial = dial
        self._armed = True

    def poll(self, now_ns: int, follower: JointState) -> Controls:
        """Return the sticks' input while the dead-man's button is held."""
        state = self._pad.poll()
        if state is None:
            self._armed = False
            return Controls(may_move=False, away="no gamepad is plugged in")
        presses = tuple(PRESSES[name] for name in state.pressed if name in PRESSES)
        held = DEAD_MAN in state.down
        input_ = self._input(state)
        if not self._armed:
            # After an interruption, or when plugged in again: only once the sticks or the button have been let go.
            self._armed = not held or input_.is_zero
            input_ = STILL
        return Controls(input_ if held else STILL, presses, may_move=held)

    def let_go(self) -> None:
        """Move nothing until sticks and gripper buttons, or the dead-man's button, have been let go."""
        self._armed = False

    def close(self) -> None:
        """Release the gamepad."""
        self._pad.close()

    def _input(self, state: PadState) -> Velocity:
        right, back = response(state.left)
        turn, down = response(state.right)
        dial = self._dial
        linear = (-back * dial.linear, -right * dial.linear, -down * dial.linear)
        gripper = (OPEN in state.down) - (CLOSE in state.down)
        # Adding 0.0 turns -0.0 into 0.0.
        x, y, z = (value + 0.0 for value in linear)
        return Velocity((x, y, z), -turn * dial.yaw + 0.0, gripper * dial.gripper)
