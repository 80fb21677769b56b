"""A slow motion of a first run, which any key stops."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from robot.arm.interface import Vector
from robot.client.client import Client
from robot.client.joint_move import LEASE_S, move_on
from robot.client.rest import take_over
from robot.driver.modes import Mode
from robot.errors import ArmError, Refused
from robot.first_run.operator import Operator
from robot.wire.messages import JointState

HOLDER = "first run"
STOPPED = "stopped by a key"
_SETTLE_S = 2.0
_TRIES = 5
_DONE = 0.01
"""rad; a motion that was commanded to within this is complete."""


@dataclass(frozen=True)
class Moved:
    """The states `before` and `after` a motion. `ended` says why the motion was not commanded to its end, empty when it
    was."""

    before: JointState
    after: JointState
    ended: str

    @property
    def joints(self) -> Vector:
        """How far each joint was measured to turn, (n,) rad."""
        return np.subtract(self.after.measured, self.before.measured)


class _Ended(Exception):
    """The motion is to end now."""


def move(client: Client, operator: Operator, joints: Vector, gripper_width: float | None, speed: float = 1.0) -> Moved:
    """Move the arm by `joints` (n,) rad from where it is, and the gripper to `gripper_width` m unless that is None, at
    up to the share `speed` of the joints' limits; give the lease back at rest.

    A key of `operator` stops the arm as `worldarm stop` does. A motion that a busy computer cut short is continued, a
    few times at most. Raises `ArmError` when the arm does not come to rest, and `ConnectionLost`.
    """
    first: JointState | None = None
    left = joints
    for _ in range(_TRIES):
        before, after, ended = _move_once(client, operator, left, gripper_width, speed)
        first = first or before
        left = left - np.subtract(after.governed, before.governed)
        if np.abs(left).max() < _DONE:
            return Moved(first, after, "")
        if ended == STOPPED or after.mode not in (Mode.HOLDING.value, Mode.IDLE.value):
            break
        ended = ended or f"the governor held it back ({', '.join(after.clamps) or 'the driver was held up'})"
        operator.say(f"cut short: {ended}")
    return Moved(first or after, after, ended or after.reason)


def _move_once(
    client: Client, operator: Operator, joints: Vector, gripper_width: float | None, speed: float
) -> tuple[JointState, JointState, str]:
    """Move as `move` does, once; return the states before and after, and why the motion ended early."""
    before: JointState | None = None
    ended = ""

    def watch(_: JointState) -> None:
        if operator.pressed():
            client.stop(STOPPED)
            raise _Ended(STOPPED)

    try:
        before = take_over(client, HOLDER, LEASE_S)
        goal = np.array(before.governed) + joints
        width = before.gripper_command if gripper_width is None else gripper_width
        move_on(client, before, goal, width, speed, watch)
    except (_Ended, ArmError) as error:
        ended = str(error)
    except Refused as refusal:
        ended = refusal.detail
    finally:
        client.give_back()
    after = _rested(client)
    return before or after, after, ended


def _rested(client: Client) -> JointState:
    """Return the state once the arm no longer moves by command, and nobody has the lease."""
    deadline = time.monotonic() + _SETTLE_S
    while (state := client.state()).holder or any(state.governed_velocity):
        if time.monotonic() > deadline:
            raise ArmError(f"the arm did not come to rest within {_SETTLE_S:g} s")
        time.sleep(0.02)
    return state
