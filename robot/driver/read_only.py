"""A driver that only reads its arm, for an arm that a person moves by hand.

It publishes states and answers requests as `Driver` does, but never grants a lease and cannot command the arm.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from robot.arm.checked_calls import arm_faults, read
from robot.arm.interface import Readable
from robot.driver.modes import Mode, ModeMachine
from robot.driver.requests import Handlers
from robot.driver.server import Server
from robot.errors import ArmError, Refused
from robot.system.pacing import Pacer, PaceReport
from robot.wire import topics
from robot.wire.addresses import COMMAND, STATE
from robot.wire.messages import (
    AcquireLease,
    Body,
    Done,
    JointState,
    PlaceObjects,
    ReleaseLease,
    RenewLease,
    Reset,
    Spec,
    SpecRequest,
    Stop,
    Waypoints,
)

READ_ONLY = "read only: a person moves this arm"


class ReadOnlyDriver:
    """Publishes the state of `arm`. Its sockets are bound on construction; nothing touches the arm before `run`.

    `state_endpoint` and `command_endpoint` are the addresses actually bound. Raises `ConfigurationError` and
    `AddressInUse` as `Driver` does.
    """

    def __init__(
        self, arm: Readable, state_address: str = STATE, command_address: str = COMMAND, curve: bool = False
    ) -> None:
        self._arm = arm
        self._modes = ModeMachine()
        self._modes.reason = READ_ONLY
        self._finishing = False
        self._tick = 0
        handlers: Handlers = {
            SpecRequest: lambda _: Spec(self._arm.spec, self.state_endpoint, False),
            Stop: lambda _: Done(),  # nothing here moves it
            Reset: self._reset,
            **dict.fromkeys((AcquireLease, RenewLease, ReleaseLease, Waypoints, PlaceObjects), self._refuse),
        }
        self._server = Server(state_address, command_address, curve, handlers, lambda _: None, lambda: "")
        self.state_endpoint, self.command_endpoint = self._server.state_endpoint, self._server.command_endpoint

    @property
    def fault(self) -> str:
        """The reason why the arm cannot be read; empty while it can."""
        return self._modes.reason if self._modes.mode is Mode.FAULT else ""

    def finish(self) -> None:
        """Request that the loop ends; safe to call from a signal handler."""
        self._finishing = True

    def stop(self) -> None:
        """Do nothing: a person moves this arm."""

    def run(self, duration_s: float | None = None, ready: Callable[[], None] | None = None) -> PaceReport:
        """Run until `finish` or for `duration_s`; return the loop's timing. `ready` is called once, when the arm's link
        is open. Raises `ArmError` when it cannot be opened. When the arm fails later, the loop continues in the mode
        fault until a reset opens the link again."""
        with ExitStack() as way_out:
            way_out.callback(self._server.close)
            way_out.callback(self._close)
            self._start()
            if ready is not None:
                ready()
            period_s = 1.0 / self._arm.spec.rate_hz
            pacer = Pacer(period_s)
            end_ns = None if duration_s is None else time.monotonic_ns() + round(duration_s * 1e9)
            while not self._finishing and (end_ns is None or time.monotonic_ns() < end_ns):
                self._look()
                self._server.requests.serve(period_s)
                self._server.publish(topics.STATE, self._state())
                self._tick += 1
                self._server.requests.serve_until(pacer.next_ns, period_s)
                pacer.wait()
            return pacer.report()

    def _start(self) -> None:
        with arm_faults():
            self._arm.start_reading()
        self._reading = read(self._arm)

    def _look(self) -> None:
        if self._modes.mode is Mode.FAULT:
            return
        try:
            self._reading = read(self._arm)
        except ArmError as error:
            self._modes.to(Mode.FAULT, str(error))

    def _state(self) -> JointState:
        """Return a state whose set-points are the newest measurement too, because a person moves this arm."""
        reading, fault = self._reading, self._modes.mode is Mode.FAULT
        return JointState(
            time_ns=time.monotonic_ns() if fault else reading.time_ns,
            tick=self._tick,
            mode=self._modes.mode.value,
            requested=reading.positions,
            governed=reading.positions,
            measured=reading.positions,
            governed_velocity=reading.velocities,
            measured_velocity=reading.velocities,
            measured_effort=reading.efforts,
            gripper_command=reading.gripper_width,
            gripper_width=reading.gripper_width,
            clamps=(),
            holder="",
            active_until_ns=0,
            set_point_ns=time.monotonic_ns(),
            reason=self._modes.reason,
        )

    def _refuse(self, _: object) -> Body:
        raise Refused("not-allowed", "this driver only reads its arm and cannot move it; start it without --read-only")

    def _reset(self, _: Reset) -> Body:
        if self._modes.mode is Mode.FAULT:
            self._close()
            try:
                self._start()
            except ArmError as error:
                self._modes.reason = str(error)
                raise Refused("fault", f"{error}; fix that, then reset again") from error
            self._modes.to(Mode.IDLE, READ_ONLY)
        return Done()

    def _close(self) -> None:
        # Closing a link that has failed is likely to fail too, and this driver has no motion to stop.
        with suppress(ArmError), arm_faults():
            self._arm.close()
