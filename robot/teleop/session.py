"""A teleoperation session: a person moves the arm with a device; waypoints go out at a fixed rate, under a lease that
is kept only while somebody is at the device.

The arm moves only while the person holds a control. An interruption (a stop, another client's lease, an absent device,
a suspended process) brings the arm to rest, and it moves again only after the person has let go of the controls.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from robot.client.client import Client
from robot.client.joint_move import ARRIVED, require_clear
from robot.errors import ConfigurationError, ConnectionLost, Refused
from robot.system.pacing import Pacer, PaceReport
from robot.teleop.input import STILL, Controls, Device, JointTarget, Press, TeleopInput, ToolTarget, Velocity
from robot.teleop.speed_limits import Dial
from robot.teleop.velocity_ik import VelocityIk
from robot.teleop.waypoint_stream import WaypointStream
from robot.wire import topics
from robot.wire.messages import JointState
from robot.wire.subscription import Subscription

LEASE_S = 1.0
_RENEW_NS = round(0.25e9 * LEASE_S)
_SILENT_S = 2.0
"""The session ends when no state of the arm has come for this long."""
_FIRST_STATE_S = 2.0
_STALE_NS = 300_000_000
"""A state older than this is not used for control."""
_SLEPT_NS = 400_000_000
"""After a pause of this length between two turns the process was suspended, and the arm is not moved at once."""
_RETRY_NS = 500_000_000
_STILL = 1e-3
# Clamps that concern where the arm is; all others concern how it moves, and pass by themselves.
_IN_THE_WAY = frozenset({"position", "workspace", "table", "self-collision", "keep-out"})


@dataclass(frozen=True)
class View:
    """What a console shows at one moment.

    `mode` and `reason` are the driver's; `lease` names the lease holder; `tool` (3,) m and `speed` m/s are the
    commanded position and speed of the tool; `share` is the dial's; `slowed` and `clamps` say what slowed the motion
    here and in the governor; `rate_hz` is the number of turns a second, `age_s` the age of the newest state; `note` is
    a message.
    """

    mode: str
    reason: str
    lease: str
    tool: tuple[float, float, float]
    speed: float
    share: float
    gripper_width: float
    slowed: tuple[str, ...]
    clamps: tuple[str, ...]
    rate_hz: float
    age_s: float
    note: str


class Console(Protocol):
    """Shows messages of a session to the person, and reads the keys that work with every device."""

    def presses(self, now_ns: int) -> tuple[Press, ...]:
        """Return the presses at the console since the last call, without waiting."""

    def tell(self, line: str) -> None:
        """Show a message about an event."""

    def show(self, view: View) -> None:
        """Show the present state; called every turn, and must not wait."""


class Teleoperation:
    """Lets the person at `device` move the arm of `client`, with `rate_hz` turns a second; the caller closes both.

    `home_speed` is the share of each joint's velocity limit with which the arm goes home. Raises `ConfigurationError`
    when `rate_hz` or `home_speed` is out of range.
    """

    def __init__(
        self, client: Client, device: Device, console: Console, dial: Dial, rate_hz: float, home_speed: float
    ) -> None:
        if not 10.0 <= rate_hz <= 200.0:
            raise ConfigurationError(f"--rate-hz must be from 10 to 200, not {rate_hz:g}")
        if not 0.0 < home_speed <= 1.0:
            raise ConfigurationError(f"--home-speed must be above 0 and at most 1, not {home_speed:g}")
        self._client, self._device, self._console, self._dial = client, device, console, dial
        self._period_s = 1.0 / rate_hz
        self._home_speed = home_speed
        self._steering = VelocityIk(client.arm, dial.limits)
        self._stream = WaypointStream(client)
        self._holder = f"teleop {device.name}"
        self._mine = False
        self._wanted = True  # the lease, as soon as it can be had
        self._taken_ns = self._renewed_ns = self._tried_ns = 0
        self._homing = False
        self._away = ""
        self._note = ""
        self._slowed: tuple[str, ...] = ()
        self._clamps: tuple[str, ...] = ()

    def run(self) -> PaceReport:
        """Run until the person quits; return how well the rate was kept. The lease is given back at the end.

        Raises `Refused` when another client has the lease at the beginning, or when the arm is stopped then;
        `ConnectionLost` when the driver no longer answers or publishes, or when the device is permanently gone.
        """
        with Subscription(self._client.state_address, topics.STATE, JointState, 64, self._client.clock) as states:
            states.wait(_FIRST_STATE_S)
            if not self._device.poll(time.monotonic_ns(), states.history[-1]).away:
                self._take()
            pacer = Pacer(self._period_s)
            turns, since_ns, rate_hz = 0, time.monotonic_ns(), 0.0
            before_ns = since_ns
            try:
                while True:
                    pacer.wait()
                    now_ns = time.monotonic_ns()
                    if now_ns - before_ns > _SLEPT_NS:
                        slept_s = (now_ns - before_ns) * 1e-9
                        self._interrupt(f"suspended for {slept_s:.1f} s, the arm holds: let go, then continue")
                    before_ns = now_ns
                    turns += 1
                    if now_ns - since_ns >= 1e9:
                        turns, since_ns, rate_hz = 0, now_ns, turns / ((now_ns - since_ns) * 1e-9)
                    state = self._listen(states, now_ns)
                    if not self._turn(now_ns, state):
                        return pacer.report()
                    self._console.show(self._view(state, rate_hz))
            finally:
                self._client.give_back()

    # ---------------------------------------------------------------- one turn

    def _turn(self, now_ns: int, state: JointState) -> bool:
        """Read the device and move the arm for one turn; return whether to continue."""
        controls = self._device.poll(now_ns, state)
        presses = (*self._console.presses(now_ns), *controls.presses)
        if Press.STOP in presses:
            self._stop()
        if Press.QUIT in presses:
            return False
        if Press.RESET in presses and Press.STOP not in presses:
            self._reset()
        self._dial.turn(presses.count(Press.FASTER) - presses.count(Press.SLOWER))
        self._note = controls.note
        if controls.news:
            self._console.tell(controls.news)
        self._watch(now_ns, state, controls)
        if self._mine:
            input_ = self._input(controls, state)
            if Press.HOME in presses:  # a control that is still held must not interrupt it at once
                self._go_home(controls, state)
                input_ = STILL
            self._move(now_ns, state, input_)
        elif Press.HOME in presses:
            self._console.tell("home: the lease is not yours; press reset to take it")
        return True

    def _listen(self, states: Subscription[JointState], now_ns: int) -> JointState:
        """Read the published states; return the newest. Raises `ConnectionLost` when none has come for `_SILENT_S`."""
        before = states.history[-1]
        states.drain()
        newest = states.history[-1]
        if now_ns - newest.time_ns > _SILENT_S * 1e9:
            raise ConnectionLost(
                f"the driver at {self._client.command_address} has been silent for {_SILENT_S:g} s; is it running?"
            )
        fresh = [state for state in states.history if state.time_ns > before.time_ns]
        if fresh:
            self._clamps = tuple(dict.fromkeys(clamp for state in fresh for clamp in state.clamps))
        return newest

    def _input(self, controls: Controls, state: JointState) -> TeleopInput:
        """Return the input of this turn: the way home while the arm is on it, and else the device's input."""
        input_ = controls.input_ if controls.may_move else STILL
        if not self._homing:
            return input_
        goal = self._client.arm.home
        moved = isinstance(input_, ToolTarget) or (isinstance(input_, Velocity) and not input_.is_zero)
        if not controls.may_move or moved:
            self._interrupt("on the way home: interrupted, the arm holds")
            return STILL
        if float(np.abs(np.subtract(state.measured, goal)).max()) < ARRIVED and not any(state.governed_velocity):
            self._interrupt("at home")
            return STILL
        return JointTarget(goal, state.gripper_command, self._home_speed)

    def _move(self, now_ns: int, state: JointState, input_: TeleopInput) -> None:
        """Send the next waypoints for `input_`, or keep the lease where nothing is to move."""
        self._slowed = ()
        ready = now_ns - state.time_ns < _STALE_NS and state.time_ns > self._taken_ns
        if not ready or (not self._stream.running and max(map(abs, state.governed_velocity)) > _STILL):
            # No state to control by yet, or the arm still ramps to rest after an earlier motion.
            self._stream.drop()
            self._slowed = () if ready else ("waiting for the arm's state",)
            self._renew(now_ns)
            return
        if isinstance(input_, Velocity) and input_.is_zero and self._stream.at_rest(state):
            self._stream.drop()
            self._steering.begin()
            self._renew(now_ns)
            return
        blocked = self._stream.running and not _IN_THE_WAY.isdisjoint(state.clamps)
        seconds = self._stream.catch_up(now_ns, state, blocked)
        head, width = self._stream.head, self._stream.gripper_width
        most = self._dial.limits.gripper * seconds
        if isinstance(input_, JointTarget):
            velocity, slowed = self._steering.towards(head, input_, seconds)
            opened = input_.gripper_width - width
        else:
            if isinstance(input_, ToolTarget):
                velocity, slowed = self._steering.reach(head, input_, seconds)
            else:
                velocity, slowed = self._steering.velocity(head, input_, seconds)
            opened = input_.gripper * seconds
        if np.isfinite(opened):
            width += min(max(opened, -most), most)
        try:
            refused = self._stream.go(velocity, seconds, width)
        except Refused as refusal:
            self._lose(refusal)
            return
        self._slowed = (*slowed, refused) if refused else slowed
        if refused:
            self._renew(now_ns)
        else:
            self._renewed_ns = now_ns

    # ---------------------------------------------------------------- the lease

    def _take(self) -> None:
        lease = self._client.acquire(self._holder, LEASE_S)
        # The driver takes over from where the arm stands now: an earlier state may be outdated.
        self._taken_ns = self._renewed_ns = time.monotonic_ns()
        self._mine, self._wanted = bool(lease.token), True
        self._interrupt("")

    def _watch(self, now_ns: int, state: JointState, controls: Controls) -> None:
        """Give the lease back while nobody is at the device, and acquire it again when somebody is."""
        if controls.away != self._away:
            self._away = controls.away
            self._console.tell(
                f"{controls.away}; the arm holds" if controls.away else f"the {self._device.name} is back"
            )
            if controls.away:
                self._client.give_back()
                self._interrupt("")
                self._mine = False
        if self._mine and state.time_ns > self._taken_ns and state.holder != self._holder:
            self._lost(state)
        if self._mine or self._away or not self._wanted or now_ns - self._tried_ns < _RETRY_NS:
            return
        self._tried_ns = now_ns
        try:
            self._take()
        except Refused as refusal:
            self._wanted = False
            self._console.tell(f"{refusal.detail}; press reset to try again")

    def _renew(self, now_ns: int) -> None:
        if now_ns - self._renewed_ns < _RENEW_NS:
            return
        try:
            self._client.renew()
            self._renewed_ns = now_ns
        except Refused as refusal:
            self._lose(refusal)

    def _lose(self, refusal: Refused) -> None:
        """React to the driver's refusal of a command; its next state says why it refused."""
        self._mine = False
        self._interrupt("")
        # Nobody else has the lease: this process or the driver was suspended or delayed too long.
        held_up = refusal.reason == "held-up"
        self._wanted = held_up or (refusal.reason == "not-holder" and "has it" not in refusal.detail)
        if held_up:
            self._console.tell(f"{refusal.detail.partition(';')[0]}; taking the lease again")
        elif self._wanted:
            self._console.tell(f"the lease lapsed, since nothing was sent for {LEASE_S:g} s; taking it again")
        else:
            self._console.tell(f"the lease was lost: {refusal.detail}; press reset to take it")

    def _lost(self, state: JointState) -> None:
        self._mine = False
        self._interrupt("")
        if state.mode in ("stopped", "fault"):
            self._wanted = False
            self._console.tell(f"{state.mode}: {state.reason}; press reset to continue")
        elif state.holder:
            self._wanted = False
            self._console.tell(f"{state.holder} has the lease now; press reset to take it when it is free")
        else:
            self._console.tell(f"the lease was lost: {state.reason or 'it lapsed'}; taking it again")

    # ---------------------------------------------------------------- what is pressed

    def _stop(self) -> None:
        self._interrupt("")
        self._mine = self._wanted = False
        try:
            self._client.stop(f"stopped at the {self._device.name}")
            self._console.tell("stopped; press reset to continue")
        except Refused as refusal:
            self._console.tell(f"the stop was refused: {refusal.detail}")

    def _reset(self) -> None:
        """Leave the stopped mode or a fault, if the arm is in one, and take the lease."""
        try:
            if not self._mine:
                self._client.reset()
                if not self._away:
                    self._take()
            self._console.tell(f"reset: {'the arm is yours' if self._mine else 'done'}")
        except Refused as refusal:
            self._console.tell(refusal.detail)

    def _go_home(self, controls: Controls, state: JointState) -> None:
        if not controls.may_move:
            self._console.tell("home: hold the dead-man's button for it")
            return
        start, goal = np.array(state.governed), np.array(self._client.arm.home)
        try:
            require_clear(self._client.arm, start, goal, "its home")
        except ConfigurationError as error:
            self._console.tell(str(error))
            return
        self._interrupt("")
        self._homing = True
        self._console.tell("going home; stop, or any motion, ends it")

    def _interrupt(self, message: str) -> None:
        """Bring the arm to rest until the person has let go of the controls, and show `message` unless it is empty."""
        self._homing = False
        self._device.let_go()
        if not self._mine:
            self._stream.drop()
        if message:
            self._console.tell(message)

    def _view(self, state: JointState, rate_hz: float) -> View:
        arm_s = 0.01
        joints = np.asarray(state.governed)
        tool = self._steering.position(joints)
        before = self._steering.position(joints - arm_s * np.asarray(state.governed_velocity))
        return View(
            mode=state.mode,
            reason=state.reason,
            lease="mine" if self._mine else state.holder or "free",
            tool=(float(tool[0]), float(tool[1]), float(tool[2])),
            speed=float(np.linalg.norm(tool - before)) / arm_s,
            share=self._dial.share,
            gripper_width=state.gripper_width,
            slowed=self._slowed,
            clamps=self._clamps,
            rate_hz=rate_hz,
            age_s=max(0.0, (time.monotonic_ns() - state.time_ns) * 1e-9),
            note="going home" if self._homing else self._away or self._note,
        )
