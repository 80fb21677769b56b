"""What the tests of the driver have in common: a rude peer, patient commands, and what must hold of every motion."""

import itertools
import time

import numpy as np
import zmq

from robot.client.client import Client
from robot.wire.messages import Accepted, Body, JointState, Waypoint, decode
from robot.wire.subscription import Subscription
from tests.robot.driver.command import until
from tests.robot.panda import panda_spec

MS = 1_000_000
S = 1_000_000_000
SPEC = panda_spec()
HOME = SPEC.home


def away(joint: int, by: float, after_s: float, gripper_width: float = 0.08, base=HOME) -> Waypoint:
    """A waypoint `after_s` from now with one joint moved."""
    positions = list(base)
    positions[joint] += by
    return Waypoint(time.monotonic_ns() + round(after_s * S), tuple(positions), gripper_width)


def move(client: Client, *waypoints: Waypoint) -> Accepted:
    """Send waypoints that may arrive late, because the machine may be busy with other tests."""
    return client.send_waypoints(waypoints, time.monotonic_ns() + 5 * S)


def now(client: Client) -> JointState:
    """The newest state; patient, because the machine may be busy with other tests."""
    return client.state(10.0)


def assert_kept_on(first: JointState, last: JointState) -> None:
    """Assert that the loop went on ticking in between; the share allows for a machine that is busy otherwise."""
    assert last.tick - first.tick >= 0.2 * (last.time_ns - first.time_ns) * 1e-9 * SPEC.rate_hz - 5


def steady(client: Client) -> JointState:
    """Wait until the arm rests, and return its state."""
    until(lambda: max(map(abs, now(client).governed_velocity)) < 1e-9)
    return now(client)


def first_rest(states: Subscription[JointState], after_ns: int, free: bool = False) -> JointState:
    """Follow `states` to the first one of rest after the monotonic `after_ns`; when `free`, in which nobody has the
    lease any more either: one whose messages are late may rest before it goes on.

    Whoever follows must not have looked away for more than a second or two before, or states were dropped.
    """

    def rests() -> list[JointState]:
        return [
            each
            for each in states.history
            if each.time_ns > after_ns and not any(each.governed_velocity) and not (free and each.holder)
        ]

    states.wait_for(lambda: bool(rests()), 30.0, "rest")
    return rests()[0]


def assert_no_jump(states: list[JointState]) -> None:
    """Assert that the governed positions stay within limits of velocity, from tick to tick."""
    assert len(states) > 10
    for before, after in itertools.pairwise(states):
        ticks = after.tick - before.tick
        assert ticks > 0
        step = np.abs(np.subtract(after.governed, before.governed))
        assert (step <= np.asarray(SPEC.velocity) * ticks / SPEC.rate_hz * 1.01 + 1e-9).all()
        if ticks == 1:
            gain = np.abs(np.subtract(after.governed_velocity, before.governed_velocity))
            assert (gain <= np.asarray(SPEC.acceleration) / SPEC.rate_hz * 1.01 + 1e-9).all()


def assert_lapsed_in_time(states: list[JointState], expires_ns: int) -> None:
    """Assert that the first whole tick after the lease's end says so; a tick is 4 ms on a machine that keeps up."""
    lapse = next(index for index, state in enumerate(states) if state.mode == "holding" and "lapsed" in state.reason)
    assert sum(state.time_ns > expires_ns for state in states[:lapse]) <= 1


class Raw:
    """A peer that sends whatever bytes it likes."""

    def __init__(self, address: str, kind: int = zmq.DEALER) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)

    def answer(self, *frames: bytes, patience_ms: int = 10_000) -> Body | None:
        self.socket.send_multipart(frames)
        if not self.socket.poll(patience_ms):
            return None
        return decode(self.socket.recv_multipart()[-1]).body

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()
