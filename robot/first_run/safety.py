"""The checks of what ends a motion: the lease, its lapse, and the stop."""

from __future__ import annotations

import time

import numpy as np

from robot.arm.interface import Vector
from robot.client.client import Client
from robot.client.joint_move import LEASE_S, send_straight
from robot.client.rest import take_over
from robot.driver.modes import Mode
from robot.errors import Refused
from robot.first_run.joints import STEP, JointChecks
from robot.first_run.motion import HOLDER, STOPPED, move
from robot.first_run.operator import ENTER, Operator
from robot.first_run.report import Outcome

_TTL_S = 0.3
_RESTS_WITHIN_S = 2.0
_SLOW = 0.2
"""The share of the reduced limits at which the arm moves for these checks: a person has to be quick enough."""
_TRIES = 3


def check_lease(client: Client) -> Outcome:
    """Check that nobody else gets the lease while one client has it; nothing moves."""
    with Client(client.command_address) as other:
        take_over(client, HOLDER, LEASE_S)
        try:
            other.acquire("a second client")
        except Refused as refusal:
            return Outcome("lease", "passed", f"a second client was refused: {refusal.detail}")
        finally:
            client.give_back()
    return Outcome("lease", "failed", "a second client got the lease while the first one had it")


def check_lapse(client: Client, operator: Operator, joints: JointChecks) -> Outcome:
    """Check that the arm comes to rest when its client says nothing any more, in a motion of the last joint."""
    turn = _last_joint(client, joints)
    if turn is None:
        return Outcome("lapse", "failed", "the last joint has no room to move: bring it to its middle by hand")
    operator.ask("The last joint sets off, and its client falls silent. It has to come to rest.", {ENTER: "starts it"})
    with Client(client.command_address) as silent:
        before = take_over(silent, HOLDER, _TTL_S)
        send_straight(silent, before, np.array(before.governed) + turn, before.gripper_command, _SLOW)
        since = time.monotonic()
        while (state := client.state()).mode == Mode.ACTIVE.value or any(state.governed_velocity):
            if time.monotonic() - since > _TTL_S + _RESTS_WITHIN_S:
                return Outcome("lapse", "failed", f"the arm is still {state.mode} after its client fell silent")
            time.sleep(0.02)
    return Outcome("lapse", "passed", f"the arm came to rest: {state.reason}")


def check_stop(client: Client, operator: Operator, joints: JointChecks) -> Outcome:
    """Check that a key stops the arm in motion, as `worldarm stop` does, and that it stays stopped until a reset."""
    turn = _last_joint(client, joints)
    if turn is None:
        return Outcome("stop", "failed", "the last joint has no room to move: bring it to its middle by hand")
    for _ in range(_TRIES):
        operator.ask("The last joint turns slowly. Press SPACE while it does: it has to stop.", {ENTER: "starts it"})
        moved = move(client, operator, turn, None, _SLOW)
        if moved.ended == STOPPED:
            if moved.after.mode != Mode.STOPPED.value or any(moved.after.governed_velocity):
                return Outcome("stop", "failed", f"the arm was {moved.after.mode} after it was stopped")
            client.reset()
            return Outcome("stop", "passed", "a key stopped the arm, and a reset let it move again")
        if moved.ended:
            return Outcome("stop", "failed", moved.ended)
        operator.say("no key was pressed while it moved; once more")
        turn = -turn
    return Outcome("stop", "failed", f"no key was pressed in {_TRIES} motions")


def _last_joint(client: Client, joints: JointChecks) -> Vector | None:
    """Return a turn of the last joint (n,) rad that is free, None when there is none."""
    here = np.array(client.state().measured)
    last = client.arm.dof - 1
    for by in (2.0 * STEP, -2.0 * STEP):
        if joints.free_way(here, last, by) == by:
            turn = np.zeros(client.arm.dof)
            turn[last] = by
            return turn
    return None
