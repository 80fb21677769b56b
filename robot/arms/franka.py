"""The Franka Research 3 and the Panda over their Franka Control Interface, through franky (libfranka).

How set-points get there was chosen by measurement against franky-sim: a sine at a quarter of the last joint's speed,
one set-point every 4 ms, against the arm's own clock.

| streamed through | furthest behind | acceleration that the last joint measured, rms (1.40 rad/s² asked) |
|---|---|---|
| `JointImpedanceTrackingMotion` | 0.008 rad | 1.4 rad/s² |
| `JointVelocityMotion`, replaced each tick, position fed back | 0.002 rad | 55 rad/s² |
| `JointMotion` or `JointWaypointMotion`, replaced each tick | 0.4 rad | plans to rest at every set-point |

A motion that replaces another starts its plan anew, and each start jolts the arm; the tracker is made to be fed, takes
40 µs of a tick in place of 110 µs, and gives way to what the arm touches.
"""

from __future__ import annotations

import time
from pathlib import Path

import franky
import numpy as np

from robot.arm import ArmOptions, ArmSpec, Reading, Vector
from robot.arms.bounded import within
from robot.arms.franka_description import franka_spec
from robot.arms.franka_errors import MODES, named, plain_words
from robot.arms.franka_hand import FrankaHand
from robot.errors import ArmError, ConfigurationError

STIFFNESS = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
DAMPING = (50.0, 50.0, 50.0, 20.0, 20.0, 20.0, 10.0)
"""N·m/rad and N·m·s/rad, those of the maker's own example of joint impedance (franka_ros,
joint_impedance_example_controller)."""
CONTACT_NM = (40.0, 40.0, 36.0, 36.0, 32.0, 28.0, 24.0)
"""External torque on a joint at which the arm stops itself, N·m: twice what the maker's examples have, for this arm is
to push things, and far below what hurts."""
CONTACT_N = (40.0, 40.0, 40.0, 30.0, 30.0, 30.0)
"""External force (N) and torque (N·m) at the hand at which it stops itself."""
CONNECT_S = 4.0
STOP_S = 3.0
_ENGAGE_S = 1.0
_REALTIME_KERNEL = Path("/sys/kernel/realtime")


def make_arm(options: ArmOptions) -> Franka:
    """Return the arm at the host `options.address`; the entry point `franka` of `worldarm.arms`.

    Raises `ConfigurationError` without an address.
    """
    if options.address is None:
        raise ConfigurationError("a Franka arm needs its address: --address HOST, the one that Desk is opened at")
    return Franka(options.address)


class Franka:
    """An `Arm` whose joints track set-points by impedance from `start` to `park`, and hold by themselves afterwards."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._robot: franky.Robot | None = None
        self._hand: FrankaHand | None = None
        self._tracking = _tracking()
        self._before = np.zeros(len(STIFFNESS))
        self._stamp = -1
        self._time_ns = 0
        self.spec: ArmSpec = franka_spec()

    def start(self) -> None:
        """Connect, see that arm and hand are ready, and have the joints track where they are.

        An arm that stopped itself, as after a collision or when its link was lost, is asked once to recover: whoever
        starts or resets the driver has looked at it. Raises `ArmError` when nobody answers, when the arm is guided by
        hand, stopped by its user or still in an error, and when the hand is missing or was not homed.
        """
        try:
            with plain_words(self._host):
                robot = self._robot = within(CONNECT_S, self._connect)
                self._make_ready(robot)
                robot.set_collision_behavior(list(CONTACT_NM), list(CONTACT_N))
                self._hand = FrankaHand(self._host)
                self._before = np.array(robot.state.q)
                self._tracking = _tracking()
                robot.move(self._tracking, asynchronous=True)
                self._await_control(robot)
        except BaseException:
            self.close()
            raise

    def read(self) -> Reading:
        """Return the newest measurement. Raises `ArmError` when the arm no longer tracks, with its reason."""
        robot, hand = self._open()
        state = robot.state
        stamp = state.time.to_msec()
        if stamp != self._stamp:  # a silent arm's last state stays as old as it is
            self._stamp, self._time_ns = stamp, time.monotonic_ns()
        return Reading(
            time_ns=self._time_ns,
            positions=tuple(state.q.tolist()),
            velocities=tuple(state.dq.tolist()),
            gripper_width=hand.width,
            efforts=tuple(state.tau_J.tolist()),
        )

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Track `positions` (7,) rad from now on, at the velocity at which they come. Raises `ArmError` when the arm no
        longer tracks, with its reason."""
        _, hand = self._open()
        velocities = (positions - self._before) * self.spec.rate_hz
        self._before = np.array(positions)
        self._tracking.set_reference(franky.JointReference(q=positions, dq=velocities))
        hand.want(gripper_width)

    def park(self) -> None:
        """Stop tracking: the arm is damped to rest and then holds with its own controller. Raises `ArmError` when it
        has not within `STOP_S`."""
        robot, _ = self._open()
        self._stop(robot)

    def close(self) -> None:
        """Let go of arm and hand. Where they were still tracking they are stopped as by `park`; raises `ArmError` when
        that fails, with the link gone all the same."""
        robot, self._robot = self._robot, None
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.close()
        if robot is not None and robot.is_in_control:
            self._stop(robot)

    def _connect(self) -> franky.Robot:
        realtime = _REALTIME_KERNEL.exists() and _REALTIME_KERNEL.read_text().strip() == "1"
        config = franky.RealtimeConfig.Enforce if realtime else franky.RealtimeConfig.Ignore
        return franky.Robot(self._host, realtime_config=config)

    def _make_ready(self, robot: franky.Robot) -> None:
        """See that the arm takes motions. Raises `ArmError` when it does not."""
        state = robot.state
        if state.robot_mode == franky.RobotMode.Reflex:
            try:
                robot.recover_from_errors()
            except franky.CommandException as error:
                raise ArmError(f"the arm at {self._host} has stopped itself, and does not recover: {error}") from error
            state = robot.state
        if state.robot_mode != franky.RobotMode.Idle:
            why = named(state.current_errors) or named(state.last_motion_errors)
            raise ArmError(
                f"the arm at {self._host} cannot be started: {MODES[state.robot_mode.name]}"
                + (f" ({why})" if why else "")
            )

    def _await_control(self, robot: franky.Robot) -> None:
        deadline = time.monotonic() + _ENGAGE_S
        while not robot.is_in_control or robot.state.robot_mode != franky.RobotMode.Move:
            if time.monotonic() > deadline:
                raise ArmError(f"the arm at {self._host} did not begin to track within {_ENGAGE_S:g} s")
            time.sleep(0.005)

    def _open(self) -> tuple[franky.Robot, FrankaHand]:
        """Return arm and hand. Raises `ArmError` when the arm does not track, with its reason."""
        robot, hand = self._robot, self._hand
        if robot is None or hand is None:
            raise ArmError("the Franka arm is not started")
        if not robot.is_in_control:
            with plain_words(self._host):
                robot.join_motion(0.0)  # raises what ended it
            raise ArmError(f"the arm at {self._host} no longer tracks its set-points")
        return robot, hand

    def _stop(self, robot: franky.Robot) -> None:
        with plain_words(self._host):
            robot.move(franky.TorqueStopMotion(), asynchronous=True)
            if not robot.join_motion(STOP_S):
                raise ArmError(f"the arm at {self._host} did not come to rest within {STOP_S:g} s")


def _tracking() -> franky.JointImpedanceTrackingMotion:
    """Return a motion that holds where it begins, until it is given a reference; each can be used once."""
    return franky.JointImpedanceTrackingMotion(stiffness=np.array(STIFFNESS), damping=np.array(DAMPING))
