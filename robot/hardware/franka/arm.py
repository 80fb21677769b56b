"""The Franka Research 3 and the Panda over their Franka Control Interface, through franky (libfranka).

The way to stream set-points was chosen by measurement against franky-sim: a sine at a quarter of the last joint's
speed, one set-point every 4 ms, measured on the arm's own clock.

| streamed through | furthest behind | acceleration that the last joint measured, rms (1.40 rad/s² asked) |
|---|---|---|
| `JointImpedanceTrackingMotion` | 0.008 rad | 1.4 rad/s² |
| `JointVelocityMotion`, replaced each tick, position fed back | 0.002 rad | 55 rad/s² |
| `JointMotion` or `JointWaypointMotion`, replaced each tick | 0.4 rad | plans to rest at every set-point |

A motion that replaces another starts its plan again, and each start jolts the arm. The tracker is made for streaming,
takes 40 µs of a tick instead of 110 µs, and is compliant on contact.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import franky
import numpy as np

from robot.arm.interface import ArmOptions, ArmSpec, Reading, Vector
from robot.errors import ArmError, ConfigurationError
from robot.hardware.franka.description import franka_spec
from robot.hardware.franka.errors import MODES, cure_of, named, plain_words, said
from robot.hardware.franka.hand import FrankaHand
from robot.hardware.timeouts import within

STIFFNESS = (600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
DAMPING = (50.0, 50.0, 50.0, 20.0, 20.0, 20.0, 10.0)
"""N·m/rad and N·m·s/rad, from the maker's example of joint impedance (franka_ros,
joint_impedance_example_controller)."""
CONTACT_NM = (40.0, 40.0, 36.0, 36.0, 16.0, 14.0, 12.0)
"""External torque on a joint at which the arm stops itself, N·m. The maker's examples use the same values at the wrist
and half of these on the first four joints, which is less than acceleration and pushing objects need."""
CONTACT_N = (40.0, 40.0, 40.0, 25.0, 25.0, 25.0)
"""External force (N) and torque (N·m) at the hand at which the arm stops itself."""
FOLLOW_RAD = 0.3
"""An arm further than this from its set-point does not follow it, and is stopped: it is blocked, or the computer is too
busy to answer it in time."""
CONNECT_S = 4.0
STOP_S = 3.0
_ENGAGE_S = 1.0
_STATE_S = 0.2
_REALTIME_KERNEL = Path("/sys/kernel/realtime")
"""The file that libfranka checks too. On a kernel without it, libfranka can only run without real-time scheduling."""


def make_arm(options: ArmOptions) -> Franka:
    """Return the arm at the host `options.address`; the entry point `franka` of `worldarm.arms`.

    Raises `ConfigurationError` without an address.
    """
    if options.address is None:
        raise ConfigurationError("a Franka arm needs its address: --address HOST, the same as that of Desk")
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
        """Connect, check that arm and hand are ready, and start tracking at the present position.

        An arm that stopped itself, for instance after a collision or a lost link, is made to recover once: the person
        who starts or resets the driver has inspected it. Raises `ArmError` when the arm does not answer, is guided by
        hand, is stopped by its user or still has an error, and when the hand is missing or was not homed.
        """
        try:
            with plain_words(self._host):
                # Connecting gives its thread real-time priority, and all that the thread starts inherits it. So that
                # must not be the thread of the driver.
                self._robot = within(CONNECT_S, self._connect)
                self._make_ready()
                within(CONNECT_S, self._set_contact)
                self._hand = FrankaHand(self._host, self.spec.gripper_speed)
                self._before, self._stamp = np.array(self._link.state.q), -1
                self._tracking = _tracking()
                self._link.move(self._tracking, asynchronous=True)
                self._await_control()
        except BaseException:
            with suppress(ArmError):  # the first error, why it did not start, is the one to report
                self.close()
            raise

    def read(self) -> Reading:
        """Return the newest measurement. Raises `ArmError` when the arm has stopped tracking, with its reason, and when
        it does not follow its set-points; it is then damped to rest."""
        hand = self._tracked()
        state = self._link.state
        self._see_that_it_follows(state.q)
        stamp = state.time.to_msec()
        if stamp != self._stamp:  # a silent arm's last state keeps its old time
            self._stamp, self._time_ns = stamp, time.monotonic_ns()
        return Reading(
            time_ns=self._time_ns,
            positions=tuple(state.q.tolist()),
            velocities=tuple(state.dq.tolist()),
            gripper_width=hand.width,
            efforts=tuple(state.tau_J.tolist()),
        )

    def write(self, positions: Vector, gripper_width: float) -> None:
        """Track `positions` (7,) rad from now on, at the velocity between successive set-points. Raises `ArmError` when
        the arm has stopped tracking, with its reason."""
        hand = self._tracked()
        velocities = (positions - self._before) * self.spec.rate_hz
        self._before = np.array(positions)
        self._tracking.set_reference(franky.JointReference(q=positions, dq=velocities))
        hand.want(gripper_width)

    def park(self) -> None:
        """Stop tracking: the arm is damped to rest and then holds with its own controller. Raises `ArmError` when it is
        not at rest within `STOP_S`."""
        self._tracked()
        self._stop()

    def close(self) -> None:
        """Disconnect from arm and hand. An arm that still tracks is stopped as by `park`. Raises `ArmError` when that
        fails; the link is closed even then."""
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.close()
        try:
            if self._robot is not None and self._robot.is_in_control:
                self._stop()
        finally:
            # The link closes with the last reference to it. No other reference is kept, in particular not in the frame
            # of an error.
            self._robot = None

    @property
    def _link(self) -> franky.Robot:
        if self._robot is None:
            raise ArmError("the Franka arm is not started")
        return self._robot

    def _connect(self) -> franky.Robot:
        realtime = _REALTIME_KERNEL.exists() and _REALTIME_KERNEL.read_text().strip() == "1"
        config = franky.RealtimeConfig.Enforce if realtime else franky.RealtimeConfig.Ignore
        return franky.Robot(self._host, realtime_config=config)

    def _recover(self) -> None:
        self._link.recover_from_errors()

    def _set_contact(self) -> None:
        self._link.set_collision_behavior(list(CONTACT_NM), list(CONTACT_N))

    def _make_ready(self) -> None:
        """Check that the arm accepts motions. Raises `ArmError` when it does not."""
        state = self._link.state
        if state.robot_mode == franky.RobotMode.Reflex:
            try:
                within(CONNECT_S, self._recover)
            except franky.CommandException as error:
                raise ArmError(
                    f"the arm at {self._host} has stopped itself and does not recover: {said(error)}"
                ) from error
            state = self._link.state
        if state.robot_mode != franky.RobotMode.Idle:
            why = named(state.current_errors) or named(state.last_motion_errors)
            raise ArmError(
                f"the arm at {self._host} cannot be started: {MODES[state.robot_mode.name]}"
                + (f" ({why})" if why else "")
            )

    def _await_control(self) -> None:
        deadline = time.monotonic() + _ENGAGE_S
        while not self._link.is_in_control or self._link.state.robot_mode != franky.RobotMode.Move:
            if time.monotonic() > deadline:
                self._link.join_motion(0.0)  # raises the error that ended it, if it had begun
                raise ArmError(f"the arm at {self._host} did not begin to track within {_ENGAGE_S:g} s")
            time.sleep(0.005)

    def _tracked(self) -> FrankaHand:
        """Return the hand. Raises `ArmError` when the arm does not track, with its reason."""
        if not self._link.is_in_control or self._hand is None:
            try:
                with plain_words(self._host):
                    self._link.join_motion(0.0)  # raises the error that ended it
            except ArmError as error:
                raise ArmError(f"{error}{self._touched()}: {cure_of(str(error))}") from error
            raise ArmError(f"the arm at {self._host} no longer tracks its set-points")
        return self._hand

    def _touched(self) -> str:
        """Return which joints the arm reports to have run into something, in words; empty when it reports none."""
        try:
            collisions = within(_STATE_S, lambda: self._link.state).joint_collision
        except (TimeoutError, franky.NetworkException, franky.ProtocolException):
            return ""  # why the arm stopped is known already, and where is not
        joints = [name for name, hit in zip(self.spec.joint_names, collisions, strict=True) if hit]
        return f" at {', '.join(joints)}" if joints else ""

    def _see_that_it_follows(self, joints: Vector) -> None:
        behind = np.abs(joints - self._before)
        worst = int(behind.argmax())
        if behind[worst] > FOLLOW_RAD:
            self._link.move(franky.TorqueStopMotion(), asynchronous=True)
            raise ArmError(
                f"{self.spec.joint_names[worst]} is {behind[worst]:.2f} rad from its set-point and does not follow: "
                "free the arm, or reduce the load of this computer"
            )

    def _stop(self) -> None:
        with plain_words(self._host):
            self._link.move(franky.TorqueStopMotion(), asynchronous=True)
            if not self._link.join_motion(STOP_S):
                raise ArmError(f"the arm at {self._host} did not come to rest within {STOP_S:g} s")


def _tracking() -> franky.JointImpedanceTrackingMotion:
    """Return a motion that holds its first position until it receives a reference; each can be used once."""
    return franky.JointImpedanceTrackingMotion(stiffness=np.array(STIFFNESS), damping=np.array(DAMPING))
