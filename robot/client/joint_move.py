"""Moves the arm to given joints: every joint in a straight line, slowly, and only when no obstacle is in the way."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from robot.arm.collisions import clearances
from robot.arm.interface import ArmSpec, Vector
from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.hold_ups import again_when_held_up
from robot.client.rest import take_over, wait_for_rest
from robot.errors import ArmError, ConfigurationError
from robot.motion.governor import WHAT_TOUCHES, workspace
from robot.wire.messages import JointState, Waypoint

LEASE_S = 1.0
ARRIVED = 0.02
"""rad; within this distance of the goal the arm has arrived."""
_LOOKS = 50
_LEAD_S = 0.2
_GRACE_S = 2.0


def move_straight(
    client: Client,
    goal: Vector,
    speed: float,
    called: str,
    holder: str,
    on_wait: Callable[[float], None] | None = None,
) -> float:
    """Move the arm to the joints `goal` (n,) rad with up to `speed` of each joint's velocity limit; return the distance
    moved, in rad. Errors name the goal as `called`. `holder` holds the lease during the motion, which begins again from
    where the arm is when the driver was held up meanwhile.

    `on_wait` receives the completed share of the path, several times a second. Raises, before anything moves,
    `ConfigurationError` for an invalid speed and for a path that leads through an obstacle; `Refused` when another
    client holds the lease or the arm is stopped; `ConnectionLost`; and `ArmError` when the arm does not arrive.
    """
    if not 0 < speed <= 1:
        raise ConfigurationError(f"--speed must be above 0 and at most 1, not {speed:g}")
    far: list[float] = []

    def motion() -> JointState:
        state = take_over(client, holder, LEASE_S)
        try:
            start = np.array(state.governed)
            far.append(float(np.abs(goal - start).max()))
            require_clear(client.arm, start, goal, called)

            def report(state: JointState) -> None:
                if on_wait is not None:
                    on_wait(1.0 - min(1.0, _left(state, goal) / far[0]) if far[0] > 0 else 1.0)

            return move_on(client, state, goal, state.gripper_command, speed, report)
        finally:
            client.give_back()

    state = again_when_held_up(motion)
    if (left := _left(state, goal)) >= ARRIVED:
        clamped = f"the governor clamped it: {', '.join(state.clamps)}" if state.clamps else ""
        raise ArmError(
            f"the arm came to rest {np.degrees(left):.1f}° from {called}; {clamped or 'something may be in its way'}"
        )
    return far[0]


def straight_s(spec: ArmSpec, start: Vector, goal: Vector, speed: float) -> float:
    """Return the duration (s) of a straight motion at up to the share `speed` of each joint's velocity limit."""
    # A straight segment has constant velocity except at its rounded ends.
    return max(1.0, float((np.abs(goal - start) / (speed * np.array(spec.velocity))).max()))


def send_straight(client: Client, state: JointState, goal: Vector, gripper_width: float, speed: float) -> float:
    """Send the waypoints of a straight motion from the arm's set-point in `state` to `goal` (n,) rad, with the gripper
    `gripper_width` m wide at the end; return how long it takes (s). It needs the lease; raises the errors of
    `Client.send_waypoints`."""
    start = np.array(state.governed)
    seconds = straight_s(client.arm, start, goal, speed)
    begin_ns = time.monotonic_ns() + round(_LEAD_S * 1e9)
    here = Waypoint(begin_ns, tuple(start.tolist()), state.gripper_command)
    there = Waypoint(begin_ns + round(seconds * 1e9), tuple(goal.tolist()), gripper_width)
    client.send_waypoints([here, there])
    return _LEAD_S + seconds


def move_on(
    client: Client,
    state: JointState,
    goal: Vector,
    gripper_width: float,
    speed: float,
    on_state: Callable[[JointState], None],
) -> JointState:
    """Send a straight motion as `send_straight` does, and return the state of rest at its end, as `wait_for_rest`."""
    seconds = send_straight(client, state, goal, gripper_width, speed)
    return wait_for_rest(client, seconds + _GRACE_S, on_state)


def _left(state: JointState, goal: Vector) -> float:
    """Return the largest distance of a measured joint from `goal` (n,), in rad."""
    return float(np.abs(np.array(state.measured) - goal).max())


def require_clear(spec: ArmSpec, start: Vector, end: Vector, called: str) -> None:
    """Raise `ConfigurationError`, which names the goal as `called`, when the straight path between the joints `start`
    and `end` (n,) rad leads out of the workspace or through an obstacle."""
    places = Places(spec)
    for share in np.linspace(0.0, 1.0, _LOOKS)[1:]:
        if what := places.forbidden((1.0 - share) * start + share * end):
            raise ConfigurationError(
                f"on the straight way to {called}, {100 * share:.0f} % along, {what}; bring the arm nearer by hand"
            )


class Places:
    """The positions that an arm's governor permits."""

    def __init__(self, spec: ArmSpec) -> None:
        self.kinematics = Kinematics(spec)
        self._guards = clearances(spec, self.kinematics)
        self._lower, self._upper = workspace(spec)

    def forbidden(self, joints: Vector) -> str:
        """Return a message that says why `joints` (n,) rad are forbidden; empty when they are permitted."""
        tool = self.kinematics.position(joints)
        if (tool < self._lower).any() or (tool > self._upper).any():
            return f"the tool leaves its workspace at ({tool[0]:.2f}, {tool[1]:.2f}, {tool[2]:.2f}) m"
        return next((WHAT_TOUCHES[guard.reason] for guard in self._guards if guard.room(joints) < 0.0), "")
