"""The waypoints of a person's motion on the driver's own servo, in lock-step: however late turns come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from robot.arm.kinematics import Kinematics
from robot.client.client import Client
from robot.motion.servo import Servo, SetPoint
from robot.teleop.input import STILL, Velocity
from robot.teleop.speed_limits import Limits
from robot.teleop.velocity_ik import VelocityIk
from robot.teleop.waypoint_stream import COAST_S, LEAD_S, WaypointStream
from robot.wire.messages import Accepted, JointState, Waypoint
from tests.robot.motion.stream import assert_within_limits
from tests.robot.panda import panda_spec

SPEC = panda_spec()
KINEMATICS = Kinematics(SPEC)
TICK_NS = 4_000_000
TURN_NS = 20_000_000
REST_S = LEAD_S + COAST_S + 0.05 + 0.15
"""From the last turn on: what was sent ahead, the driver's rounding, and a ramp."""


class LockStep(Client):
    """The servo of a driver, at the end of no wire: what is sent is taken at once, at the time that is now."""

    def __init__(self) -> None:
        self.now_ns = 10**12
        self.servo = Servo(SPEC)
        self.servo.engage(np.array(SPEC.home), 0.08)

    @property
    def arm(self):  # type: ignore[no-untyped-def]
        return SPEC

    def send_waypoints(self, waypoints: Sequence[Waypoint], deadline_ns: int | None = None) -> Accepted:
        return Accepted(0, self.servo.accept(waypoints, self.now_ns), 0)


@dataclass
class Arm:
    """A stream, and the arm that follows it: every set-point that it was given."""

    client: LockStep = field(default_factory=LockStep)
    governed: list[np.ndarray] = field(default_factory=list)
    clamps: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.stream = WaypointStream(self.client)
        self.steering = VelocityIk(SPEC, Limits())
        self.set_point = self.client.servo.tick(self.client.now_ns)

    @property
    def state(self) -> JointState:
        point: SetPoint = self.set_point
        still = (0.0,) * SPEC.dof
        governed = tuple(point.governed.tolist())
        return JointState(
            time_ns=self.client.now_ns,
            tick=0,
            mode="active",
            requested=governed,
            governed=governed,
            measured=governed,
            governed_velocity=tuple(point.velocity.tolist()),
            measured_velocity=still,
            measured_effort=(),
            gripper_command=point.gripper_width,
            gripper_width=point.gripper_width,
            clamps=point.clamps,
            holder="me",
            active_until_ns=0,
            set_point_ns=0,
            reason="",
        )

    def turn(self, input_: Velocity) -> str:
        seconds = self.stream.catch_up(self.client.now_ns, self.state, bool(self.set_point.clamps))
        velocity, _ = self.steering.velocity(self.stream.head, input_, seconds)
        return self.stream.go(velocity, seconds, self.stream.gripper_width + input_.gripper * seconds)

    def wait(self, until_ns: int) -> None:
        while self.client.now_ns < until_ns:
            self.client.now_ns += TICK_NS
            self.set_point = self.client.servo.tick(self.client.now_ns)
            self.governed.append(self.set_point.governed)
            self.clamps |= set(self.set_point.clamps)


def speeds(arm: Arm) -> np.ndarray:
    tools = np.array([KINEMATICS.position(joints) for joints in arm.governed])
    return np.linalg.norm(np.diff(tools, axis=0), axis=1) / (TICK_NS * 1e-9)


def test_turns_in_time_move_the_tool_evenly_at_the_speed_asked_for() -> None:
    arm = Arm()
    for _ in range(100):
        assert arm.turn(Velocity((0.0, 0.05, 0.0), gripper=-0.01)) == ""
        arm.wait(arm.client.now_ns + TURN_NS)
    assert np.abs(speeds(arm)[60:] - 0.05).max() < 1e-3
    assert arm.clamps == set()
    assert 0.055 < arm.set_point.gripper_width < 0.065


def test_no_further_turn_brings_the_arm_to_rest_by_itself() -> None:
    arm = Arm()
    for _ in range(50):
        arm.turn(Velocity((0.0, 0.15, 0.0)))
        arm.wait(arm.client.now_ns + TURN_NS)
    arm.wait(arm.client.now_ns + round(REST_S * 1e9))
    assert not arm.set_point.velocity.any()


number = st.floats(-0.3, 0.3)
inputs = st.builds(Velocity, st.tuples(number, number, number), st.floats(-2.0, 2.0), number)


@example([(STILL, 0)] * 4 + [(Velocity((0.0, 0.0, 1.1674329967844814e-07)), 0)])
@given(st.lists(st.tuples(inputs, st.sampled_from([0, 0, 0, 5, 40, 90, 130, 170, 400])), min_size=5, max_size=40))
def test_whatever_is_wished_however_late_limits_are_kept_and_what_is_let_go_rests(
    turns: list[tuple[Velocity, int]],
) -> None:
    arm = Arm()
    start = np.array(SPEC.home)
    for input_, late_ms in turns:
        arm.turn(input_)
        arm.wait(arm.client.now_ns + TURN_NS + late_ms * 1_000_000)
    let_go = len(arm.governed)
    for _ in range(round(REST_S * 1e9 / TURN_NS)):
        arm.turn(STILL)
        arm.wait(arm.client.now_ns + TURN_NS)
    rested = len(arm.governed)
    arm.wait(arm.client.now_ns + 500_000_000)
    assert_within_limits(SPEC, KINEMATICS, start, np.array(arm.governed))
    # The tool's own limit, but for what a corner or a late turn makes the arm catch up with.
    assert speeds(arm).max(initial=0.0) < 3.0 * Limits().linear
    assert np.abs(arm.governed[-1] - arm.governed[rested - 1]).max() < 1e-9
    way = np.abs(np.array(arm.governed[let_go:]) - arm.governed[let_go - 1]).max() if let_go else 0.0
    assert way < 0.15
