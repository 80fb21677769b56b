"""The driver: one thread with one loop, the only code that commands the arm.

Each tick it reads the arm, ramps to rest when the lease has lapsed, advances the trajectory through the governor,
writes the set-point and publishes the state. Then, and while it waits for the next tick, it answers a bounded number of
requests. A malformed request gets an answer and never ends the loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from robot.arm.checked_calls import arm_faults
from robot.arm.interface import Arm, HasScene
from robot.driver.driven_arm import DrivenArm
from robot.driver.lease import LeaseManager
from robot.driver.modes import Mode, ModeMachine
from robot.driver.requests import Handlers
from robot.driver.scene import SceneManager
from robot.driver.server import Server
from robot.driver.state_message import joint_state
from robot.errors import ArmError, ConfigurationError, Refused
from robot.flight_log.logged_servo import LoggedServo
from robot.flight_log.records import Changed, Closed
from robot.system.pacing import Gap, Pacer, PaceReport
from robot.wire import topics
from robot.wire.addresses import COMMAND, STATE
from robot.wire.limits import BEHIND_S, MAX_REASON_LENGTH, MAX_WAYPOINTS, STALL_S
from robot.wire.local_stop import LocalStop
from robot.wire.messages import (
    Accepted,
    AcquireLease,
    Body,
    Done,
    Lease,
    PlaceObjects,
    ReleaseLease,
    RenewLease,
    Reset,
    Spec,
    SpecRequest,
    Stop,
    Waypoints,
)

SHUTDOWN_S = 2.0


class Driver:
    """Runs `arm` for the lease holder. Its sockets are bound on construction; nothing touches the arm before `run`.

    `state_endpoint` and `command_endpoint` are the addresses actually bound. `flight_log` is the folder of the flight
    log; None chooses a default folder of the arm. Other machines need keys to connect; with `curve`, this machine's
    clients need keys too. A `remark` on this start goes into the log, and is the reason in the states until the mode
    changes. Raises `ConfigurationError` for an invalid address, an unusable folder or missing keys, and
    `AddressInUse` when another process holds an address.
    """

    def __init__(
        self,
        arm: Arm,
        state_address: str = STATE,
        command_address: str = COMMAND,
        flight_log: Path | None = None,
        curve: bool = False,
        remark: str = "",
    ) -> None:
        self._arm = arm
        self._remark = remark
        self._scene = SceneManager(arm) if isinstance(arm, HasScene) else None
        self._servo = LoggedServo(arm.spec, flight_log)
        self._driven = DrivenArm(arm, self._servo)
        self._leases = LeaseManager()
        self._modes = ModeMachine()
        self._gap = Gap()
        self._finishing = self._stop_signalled = False
        self._lease_key = ""
        self._tick = 0
        handlers: Handlers = {
            SpecRequest: self._answer_spec,
            AcquireLease: self._acquire,
            RenewLease: self._renew,
            ReleaseLease: self._release,
            Waypoints: self._move,
            Stop: self._stop,
            Reset: self._reset,
            PlaceObjects: self._place,
        }
        with ExitStack() as undone:
            undone.callback(self._servo.close)
            self._server = Server(
                *(state_address, command_address, curve),
                *(handlers, self._servo.note, lambda: self._leases.holder),
            )
            undone.callback(self._server.close)
            self._local_stop = LocalStop(self._server.command_endpoint)
            undone.callback(self._local_stop.close)
            self._open = undone.pop_all()
        self.state_endpoint, self.command_endpoint = self._server.state_endpoint, self._server.command_endpoint

    @property
    def fault(self) -> str:
        """The reason why the arm cannot continue; empty while it can."""
        return self._modes.reason if self._modes.mode is Mode.FAULT else ""

    @property
    def at_rest(self) -> bool:
        """Whether the arm stands still, both as commanded and as last measured; valid once `run` has begun.

        In a fault, when the arm can no longer be measured, only the command counts.
        """
        still = self._modes.mode is Mode.FAULT or self._driven.stands_still
        return self._driven.set_point.at_rest and still

    @property
    def flight_log(self) -> Path:
        """The folder of the flight log."""
        return self._servo.folder

    def finish(self) -> None:
        """Request that the loop brings the arm to rest and ends; safe to call from a signal handler."""
        self._finishing = True

    def stop(self) -> None:
        """Request that the arm is stopped, as by `worldarm stop`; safe to call from a signal handler."""
        self._stop_signalled = True

    def run(self, duration_s: float | None = None, ready: Callable[[], None] | None = None) -> PaceReport:
        """Run until `finish` or for `duration_s`, then ramp to rest, park and close; return the loop's timing.

        `ready` is called once, when the arm is enabled and the loop is about to begin. Raises `ArmError` when the arm
        does not start, or starts outside its limits; nothing has moved then. An arm that fails later, with any
        exception, is ramped to rest if it still accepts set-points. The loop then continues in the mode fault until a
        reset restarts the arm.
        """
        with self._open as way_out:
            way_out.callback(self._leave, self._arm.close)
            self._driven.start()
            way_out.callback(self._leave, self._arm.park)
            self._driven.engage_first()
            if self._remark:
                self._modes.reason = self._remark
                self._servo.note(Changed(time.monotonic_ns(), Mode.IDLE.value, self._remark[:MAX_REASON_LENGTH], ""))
            self._gap.begin()
            if ready is not None:
                ready()
            return self._loop(duration_s)

    def _loop(self, duration_s: float | None) -> PaceReport:
        period_s = 1.0 / self._arm.spec.rate_hz
        pacer = Pacer(period_s)
        end_ns = None if duration_s is None else time.monotonic_ns() + round(duration_s * 1e9)
        try:
            while not self._finishing and (end_ns is None or time.monotonic_ns() < end_ns):
                self._run_tick(period_s)
                self._server.requests.serve_until(pacer.next_ns, period_s)
                pacer.wait()
            self._finishing = True
            if self._modes.mode is not Mode.FAULT:
                self._halt("the driver is shutting down")
            for _ in self._until_rest(pacer):
                self._run_tick(period_s)
            self._publish()
            self._servo.note(Closed(time.monotonic_ns(), self._modes.reason))
        except BaseException:
            # A defect must not leave the arm in motion: reading and writing set-points still work after a defect
            # elsewhere in a tick.
            self._servo.hold()
            pacer.wait()  # this period's set-point may have been written already
            for _ in self._until_rest(pacer):
                self._read()
                self._advance(time.monotonic_ns())
            raise
        return pacer.report()

    def _run_tick(self, period_s: float) -> None:
        self._read()
        self._stop_when_asked()
        self._server.requests.serve(period_s)
        self._watch(time.monotonic_ns())
        self._look()
        self._advance(time.monotonic_ns())
        self._publish()
        self._tick += 1

    def _until_rest(self, pacer: Pacer) -> Iterator[None]:
        """Yield once per period until the arm is at rest, accepts no more set-points, or `SHUTDOWN_S` have passed."""
        deadline = time.monotonic() + SHUTDOWN_S
        while not self._driven.is_mute and not self.at_rest and time.monotonic() < deadline:
            yield
            pacer.wait()

    def _leave(self, call: Callable[[], None]) -> None:
        """Make one of the arm's last two calls, park or close."""
        try:
            with arm_faults():
                call()
        except ArmError:
            # An arm that has failed already is likely to fail here too; `fault` already reports the failure.
            if self._modes.mode is not Mode.FAULT:
                raise

    def _read(self) -> None:
        if self._modes.mode is Mode.FAULT:
            return
        try:
            overload = self._driven.measure()
        except ArmError as error:
            self._fail(error)
            return
        if overload and self._modes.mode is not Mode.STOPPED:
            self._halt(overload)

    def _watch(self, now_ns: int) -> None:
        holder = self._leases.lapse(now_ns)
        if holder:
            self._servo.hold()
            self._change(Mode.HOLDING, f"the lease of {holder} lapsed: its client sent nothing in time")
        if self._leases.holder and not self._may_command(self._lease_key):
            self._end_lease(f"the key of {self._leases.holder} may no longer command")

    def _may_command(self, key: str) -> bool:
        commanders = self._server.commanders
        return commanders is None or key in commanders

    def _end_lease(self, reason: str, held_up: bool = False) -> None:
        """Drop all waypoints and the lease, ramp to rest; a client that acquires the lease then may move the arm."""
        self._servo.hold()
        self._leases.revoke(reason, held_up)
        if self._modes.mode is Mode.ACTIVE:
            self._change(Mode.HOLDING, reason)

    def _stop_when_asked(self) -> None:
        """Carry out a stop that came by signal or from this machine, past all queues."""
        able = self._modes.mode is not Mode.FAULT
        reason = self._local_stop.asked(able)
        if self._stop_signalled:
            self._stop_signalled, reason = False, "stopped by a signal"
        if reason is not None and able and not self._finishing:
            self._halt(reason)

    def _notice_stall(self) -> None:
        """End the lease when this loop stood still for long: the arm would otherwise run after a plan of the past."""
        gap_ns = self._gap.since_last()
        gap_s, behind_s = 1e-9 * gap_ns, 1e-9 * self._servo.behind_ns
        # An arm at rest without a plan ahead has nothing to run after.
        under_way = not self._driven.set_point.at_rest or self._servo.active_until_ns > time.monotonic_ns() - gap_ns
        if not under_way or (gap_s <= STALL_S and behind_s <= BEHIND_S):
            return
        how = f"loop stood still for {gap_s:.2f} s" if gap_s > STALL_S else f"late ticks add up to {behind_s:.2f} s"
        self._end_lease(
            f"the driver's {how}, so the waypoints were dropped; acquire the lease and plan from where the arm is",
            held_up=True,
        )

    def _look(self) -> None:
        """Read the objects' poses at the time of the reading: the next write advances a simulated world."""
        if self._scene is None or self._modes.mode is Mode.FAULT:
            return
        try:
            self._scene.look()
        except ArmError as error:
            self._fail(error)

    def _advance(self, now_ns: int) -> None:
        """Write the next set-point; in a fault, write the ramp to rest without feedback while the arm accepts
        set-points."""
        self._notice_stall()
        if self._driven.is_mute or (self._modes.mode is Mode.FAULT and self._driven.set_point.at_rest):
            return
        try:
            self._driven.advance(now_ns)
        except ArmError as error:
            self._fail(error)

    def _publish(self) -> None:
        faulty = self._modes.mode is Mode.FAULT
        state = joint_state(
            self._tick,
            self._driven.reading,
            self._driven.set_point,
            self._driven.set_point_ns,
            self._servo.active_until_ns,
            self._modes,
            self._leases.holder,
        )
        self._server.publish(topics.STATE, state)
        if self._scene is None or faulty:
            return
        scene = self._scene.news(self._driven.reading, self._tick)
        if scene is not None:
            self._server.publish(topics.SCENE, scene)

    def _halt(self, reason: str) -> None:
        """Drop all waypoints and the lease, ramp to rest, and stay stopped."""
        self._servo.hold()
        self._leases.revoke()
        if self._modes.mode is Mode.STOPPED:
            self._modes.reason = reason
        else:
            self._change(Mode.STOPPED, reason)

    def _fail(self, error: ArmError) -> None:
        self._servo.hold()
        self._leases.revoke()
        if self._modes.mode is not Mode.FAULT:  # the first reason is the one to fix
            self._change(Mode.FAULT, str(error))

    def _change(self, mode: Mode, reason: str) -> None:
        self._modes.to(mode, reason)
        self._servo.note(Changed(time.monotonic_ns(), mode.value, reason[:MAX_REASON_LENGTH], self._leases.holder))

    def _answer_spec(self, _: SpecRequest) -> Body:
        return Spec(self._arm.spec, self.state_endpoint, self._scene is not None)

    def _acquire(self, body: AcquireLease) -> Body:
        self._refuse_when_unable()
        now_ns = time.monotonic_ns()
        self._watch(now_ns)  # ends a lease that lapsed since the last tick, with its waypoints
        grant = self._leases.acquire(body.holder, body.ttl_s, now_ns)
        self._lease_key = self._server.requests.sender
        if self.at_rest:
            try:
                self._driven.engage_again()
            except ArmError as error:
                self._leases.revoke()
                raise Refused("out-of-limits", str(error)) from error
        self._change(Mode.ACTIVE, "")
        return Lease(grant.token, grant.holder, grant.expires_ns)

    def _renew(self, body: RenewLease) -> Body:
        self._refuse_when_unable()
        grant = self._leases.renew(body.token, time.monotonic_ns())
        return Lease(grant.token, grant.holder, grant.expires_ns)

    def _release(self, body: ReleaseLease) -> Body:
        self._refuse_when_unable()
        holder = self._leases.holder
        self._leases.release(body.token, time.monotonic_ns())
        self._servo.hold()
        self._change(Mode.HOLDING, f"{holder} gave the lease back")
        return Done()

    def _move(self, body: Waypoints) -> Body:
        self._refuse_when_unable()
        now_ns = time.monotonic_ns()
        self._leases.check_command(body.token, body.sequence, body.deadline_ns, now_ns)
        if len(body.waypoints) > MAX_WAYPOINTS:
            raise Refused("bad-length", f"{len(body.waypoints)} waypoints; send at most {MAX_WAYPOINTS} per command")
        clamps = self._servo.accept(body.waypoints, now_ns)
        self._leases.renew(body.token, now_ns)
        return Accepted(body.sequence, clamps, self._tick)

    def _stop(self, body: Stop) -> Body:
        if self._modes.mode is Mode.FAULT:
            raise Refused("fault", f"the driver no longer commands the arm: {self._modes.reason}")
        if not self._finishing:
            self._halt(body.reason[:MAX_REASON_LENGTH] or "a client called stop")
        return Done()

    def _reset(self, _: Reset) -> Body:
        if self._finishing:
            self._refuse_when_unable()
        if self._modes.mode is Mode.FAULT:
            self._restart_arm()
        elif self._modes.mode is Mode.STOPPED:
            self._change(Mode.IDLE, "")
        return Done()

    def _restart_arm(self) -> None:
        """Start the arm anew. Raises `Refused`, with the present fault, when it still does not start."""
        try:
            self._driven.restart()
        except (ArmError, ConfigurationError) as error:
            self._modes.reason = str(error)
            raise Refused("fault", f"{error}; fix that, then reset again") from error
        self._gap.begin()  # the loop waited for the arm
        self._change(Mode.IDLE, "")

    def _place(self, body: PlaceObjects) -> Body:
        if self._scene is None:
            raise Refused("no-scene", f"{self._arm.spec.name} is not simulated; place the objects by hand")
        self._refuse_when_unable()
        self._leases.check(body.token, time.monotonic_ns())
        try:
            self._scene.place(body.objects)
        except ArmError as error:
            self._fail(error)
            self._refuse_when_unable()
        return Done()

    def _refuse_when_unable(self) -> None:
        if self._modes.mode is Mode.FAULT:
            raise Refused("fault", f"{self._modes.reason}; fix that, then send a reset")
        if self._modes.mode is Mode.STOPPED:
            way_out = "" if self._finishing else "; send a reset first"
            raise Refused("stopped", self._modes.reason + way_out)
