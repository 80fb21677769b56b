"""The state message of a tick: what was measured, what was commanded, and the mode."""

from __future__ import annotations

import time

from robot.arm.interface import Reading
from robot.driver.modes import Mode, ModeMachine
from robot.motion.servo import SetPoint
from robot.wire.messages import JointState


def joint_state(
    tick: int,
    reading: Reading,
    set_point: SetPoint,
    set_point_ns: int,
    active_until_ns: int,
    modes: ModeMachine,
    holder: str,
) -> JointState:
    """Return the state to publish after `tick`; its `set_point` was written to the arm at the monotonic
    `set_point_ns`."""
    return JointState(
        # In a fault the measured values are the last known ones, but the state has the present time.
        time_ns=time.monotonic_ns() if modes.mode is Mode.FAULT else reading.time_ns,
        tick=tick,
        mode=modes.mode.value,
        requested=tuple(set_point.requested.tolist()),
        governed=tuple(set_point.governed.tolist()),
        measured=reading.positions,
        governed_velocity=tuple(set_point.velocity.tolist()),
        measured_velocity=reading.velocities,
        measured_effort=reading.efforts,
        gripper_command=float(set_point.gripper_width),
        gripper_width=reading.gripper_width,
        clamps=set_point.clamps,
        holder=holder,
        active_until_ns=active_until_ns,
        set_point_ns=set_point_ns,
        reason=modes.reason,
    )
