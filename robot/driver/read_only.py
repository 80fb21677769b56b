"""A driver that reads its arm and moves nothing, for an arm that a person moves by hand.

It publishes and answers as the other driver does, but never grants a lease, and has no way to command the arm.
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
    """Publishes where `arm` is. Binds on construction; nothing touches the arm before `run`.

    `state_endpoint` and `command_endpoint` are the addresses really bound. Raises `ConfigurationError` and
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
        """Why the arm cannot be read; empty while it can."""
        return self._modes.reason if self._modes.mode is Mode.FAULT else ""

    def finish(self) -> None:
        """Ask the loop to end; may be called from a signal handler."""
        self._finishing = True

    def run(self, duration_s: float | None = None, ready: Callable[[], None] | None = None) -> PaceReport:
        """Run until `finish` or for `duration_s`; return the loop's timing. `ready` is called once, when the arm is
        there. Raises `ArmError` when it is not; one that fails later leaves the loop running in the mode fault, until a
        reset opens its link anew."""
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
        """The newest measurement, in place of set-points too: what commands this arm is a hand."""
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
        raise Refused("not-allowed", "this driver only reads its arm, and moves nothing; start it without --read-only")

    def _reset(self, _: Reset) -> Body:
        if self._modes.mode is Mode.FAULT:
            self._close()
            try:
                self._start()
            except ArmError as error:
                self._modes.reason = str(error)
                raise Refused("fault", f"{error}; mend that, then reset again") from error
            self._modes.to(Mode.IDLE, READ_ONLY)
        return Done()

    def _close(self) -> None:
        # What is left of a link that failed may well fail here too, and there is nothing to be brought to rest.
        with suppress(ArmError), arm_faults():
            self._arm.close()
