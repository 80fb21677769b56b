"""Repeats an episode's motion on an arm: slowly to its first set-point, then through all set-points at the recorded
rate, under a lease and through the governor like any other motion."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.client.joint_move import ARRIVED, move_straight
from robot.client.recorded_motion import Trace
from robot.client.rest import take_over
from robot.errors import ArmError, ConnectionLost
from robot.wire import topics
from robot.wire.messages import JointState, Waypoint
from robot.wire.subscription import Subscription

HOLDER = "replay"
LEASE_S = 1.0
_LEAD_S = 0.3
_BATCH_S = 0.5
_MOST = 60
_STATES = 4096
_GRACE_S = 1.0
_GRIPPER_M_S = 0.05

Array = npt.NDArray[np.float64]


class Deviation(msgspec.Struct, frozen=True):
    """The deviation of the replayed from the recorded positions, over `moments`; `of` says whether the recorded
    positions were measured or commanded. The root mean square and the worst are per joint in rad, and of the tool in m.
    `clamped` counts the states in which the governor changed a set-point; `seconds` is the duration of the replay."""

    of: str
    moments: int
    rms_rad: tuple[float, ...]
    worst_rad: tuple[float, ...]
    tool_rms_m: float
    tool_worst_m: float
    clamped: int
    seconds: float


def replay_trace(
    client: Client, trace: Trace, speed: float, on_progress: Callable[[float], None] | None = None
) -> Deviation:
    """Move the arm to the trace's first set-point with up to `speed` of each joint's velocity limit, then through the
    trace; return the deviation. `on_progress` receives the completed share.

    The lease is given back and the arm holds, also after an error. Raises `ArmError` when the arm does not reach the
    first set-point, or another client moves it, `ConfigurationError`, `Refused` and `ConnectionLost` as `move_straight`
    does, and `WireError` as `Client` does.
    """
    move_straight(client, trace.setpoints[0], speed, "the beginning of the episode", HOLDER)
    with Subscription(client.state_address, topics.STATE, JointState, _STATES, client.clock) as states:
        states.wait(2.0)
        state = take_over(client, HOLDER, LEASE_S)
        try:
            if float(np.abs(np.subtract(state.governed, trace.setpoints[0])).max()) > ARRIVED:
                raise ArmError("another client moved the arm away from the beginning of the episode; try again")
            width = state.gripper_command
            widths = np.full(len(trace.seconds), width) if trace.widths is None else trace.widths
            settle_s = _LEAD_S + abs(float(widths[0]) - width) / _GRIPPER_M_S
            begins_ns = time.monotonic_ns() + round(settle_s * 1e9)
            seen = _follow(client, states, trace, widths, begins_ns, on_progress)
        finally:
            client.give_back()
    return _deviation(client, trace, seen, begins_ns)


def _follow(
    client: Client,
    states: Subscription[JointState],
    trace: Trace,
    widths: Array,
    begins_ns: int,
    on_progress: Callable[[float], None] | None,
) -> list[JointState]:
    """Send the trace in batches, each a little ahead of time; return every state since its beginning."""
    times_ns = begins_ns + np.round(trace.seconds * 1e9).astype(np.int64)
    seen: list[JointState] = []
    sent = 0
    end_ns = int(times_ns[-1])
    last_ns = time.monotonic_ns()
    while True:
        now_ns = time.monotonic_ns()
        if sent < len(times_ns) and now_ns + _LEAD_S * 1e9 >= times_ns[max(sent - 1, 0)]:
            until = int(np.searchsorted(times_ns, times_ns[sent] + round(_BATCH_S * 1e9), side="right"))
            until = min(max(until, sent + 1), sent + _MOST)
            points = [
                Waypoint(int(times_ns[i]), tuple(trace.setpoints[i].tolist()), float(widths[i]))
                for i in range(sent, until)
            ]
            if sent == 0:  # stay at the present position until the first moment
                state = client.state()
                points.insert(0, Waypoint(now_ns + 60_000_000, state.governed, float(widths[0])))
            client.send_waypoints(points)
            sent = until
        elif now_ns - last_ns > 0.25 * LEASE_S * 1e9:
            client.renew()
            last_ns = now_ns
        states.drain()
        seen += [state for state in states.history if state.time_ns > (seen[-1].time_ns if seen else begins_ns - 1)]
        if on_progress is not None:
            on_progress(min(1.0, max(0.0, (now_ns - begins_ns) / max(end_ns - begins_ns, 1))))
        if seen and seen[-1].time_ns > end_ns:
            return seen
        if now_ns > end_ns + _GRACE_S * 1e9:
            raise ConnectionLost("the driver published nothing after the end of the episode; is it running?")
        time.sleep(0.01)


def _deviation(client: Client, trace: Trace, seen: list[JointState], begins_ns: int) -> Deviation:
    times = np.array([(state.time_ns - begins_ns) * 1e-9 for state in seen])
    joints = np.array([state.measured for state in seen])
    there = np.stack([np.interp(trace.seconds, times, column) for column in joints.T], axis=1)
    wanted = trace.setpoints if trace.measured is None else trace.measured
    off = there - wanted
    kinematics = Kinematics(client.arm)
    tool = np.array(
        [
            np.linalg.norm(kinematics.position(one) - kinematics.position(other))
            for one, other in zip(there, wanted, strict=True)
        ]
    )
    return Deviation(
        of="commanded" if trace.measured is None else "measured",
        moments=len(trace.seconds),
        rms_rad=tuple(np.sqrt((off**2).mean(axis=0)).tolist()),
        worst_rad=tuple(np.abs(off).max(axis=0).tolist()),
        tool_rms_m=float(np.sqrt((tool**2).mean())),
        tool_worst_m=float(tool.max()),
        clamped=sum(bool(state.clamps) for state in seen),
        seconds=float(trace.seconds[-1]),
    )
