"""The client of a driver: query, command and follow the arm; every call has a timeout and raises typed errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TypeVar

import msgspec
import zmq

from robot.arm.interface import ArmSpec, ObjectPose
from robot.errors import ConnectionLost, Refused, WireError
from robot.system.patience import Patience
from robot.wire import sockets, topics
from robot.wire.addresses import COMMAND
from robot.wire.clock_offset import ClockOffset, SameClock
from robot.wire.limits import MAX_REQUEST_BYTES
from robot.wire.messages import (
    Accepted,
    AcquireLease,
    Done,
    JointState,
    Lease,
    Message,
    PlaceObjects,
    Refusal,
    ReleaseLease,
    RenewLease,
    Reset,
    Spec,
    SpecRequest,
    Stop,
    Waypoint,
    Waypoints,
    decode,
    encode,
)
from robot.wire.subscription import Subscription

A = TypeVar("A", bound=Message)

HISTORY = 512
"""States kept for `state_near`: two seconds at 250 Hz."""
FRESH_S = 0.1
"""`state` waits for a newer state when the newest is older than this."""
RESET_S = 15.0
"""How long a reset may take: it restarts an arm whose link was lost, or reports that the arm does not answer yet."""
COMMAND_LIFE_S = 0.1
"""The default time after sending within which the driver may still accept a command."""

CLOCK_EXCHANGES = 8
"""Number of exchanges with a driver on another host, to estimate its clock before its times are used."""

_QUEUE = 64


class Client:
    """A connection to one driver, for one thread.

    Every call waits at most `timeout_s` for its answer; `reset` waits for `RESET_S` where that is longer. All calls
    raise `ConnectionLost` when the driver does not answer in time, `Refused` with the driver's reason when it refuses,
    and `WireError` when the answer is not from a driver of this version. As a context manager it gives the lease back
    on exit.

    All times, in states and in commands, are on this host's monotonic clock; `clock` estimates how far ahead the
    driver's clock is.
    """

    def __init__(
        self, command_address: str = COMMAND, timeout_s: float = 1.0, clock: ClockOffset | None = None
    ) -> None:
        """Connect and fetch the arm's specification. `clock` estimates the driver's clock; by default it is a new
        estimator, or this host's clock when the driver runs on this host. Raises `ConfigurationError` for an invalid
        address or an unknown server key, as `sockets.connect` does, and `ConnectionLost` when no driver answers."""
        self.command_address = command_address
        self._timeout_s = timeout_s
        self._token = ""
        self._sequence = 0
        self._asked = 0
        self._states: Subscription[JointState] | None = None
        self.clock = sockets.clock_at(command_address) if clock is None else clock
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = sockets.make(self._context, zmq.DEALER, _QUEUE)
        # Queue only towards a driver that is there: a command must not wait for one that starts later.
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        try:
            sockets.connect(self._socket, command_address)
            self._spec = self._ask(SpecRequest(), Spec)
            for _ in range(0 if isinstance(self.clock, SameClock) else CLOCK_EXCHANGES):
                self._ask(SpecRequest(), Spec)
            self._states = Subscription(self.state_address, topics.STATE, JointState, HISTORY, self.clock)
        except BaseException:
            self.close()
            raise

    # ---------------------------------------------------------------- specification and state

    @property
    def arm(self) -> ArmSpec:
        """The arm's specification, as received on connecting."""
        return self._spec.arm

    @property
    def state_address(self) -> str:
        """Where the driver publishes its states and, if it has one, its scene."""
        return sockets.seen_from(self.command_address, self._spec.state_address)

    @property
    def has_scene(self) -> bool:
        """Whether the arm is simulated together with objects, so that `place_objects` works."""
        return self._spec.has_scene

    def spec(self) -> Spec:
        """Request the specification again."""
        self._spec = self._ask(SpecRequest(), Spec)
        return self._spec

    def state(self, timeout_s: float = 0.5) -> JointState:
        """Return the newest state, at most 0.1 s old. Raises `ConnectionLost` when none comes within `timeout_s`."""
        states = self._following()
        states.wait_for(
            lambda: bool(states.history) and time.monotonic_ns() - states.history[-1].time_ns <= FRESH_S * 1e9,
            timeout_s,
            f"state less than {FRESH_S:g} s old",
        )
        return states.history[-1]

    def state_near(self, time_ns: int, timeout_s: float = 0.5, tolerance_s: float = 0.05) -> JointState:
        """Return the state captured nearest to the monotonic `time_ns`, among the last two seconds.

        Waits for a state later than `time_ns` when there is none yet. Raises `ConnectionLost` when none comes within
        `timeout_s`, or when the nearest state is more than `tolerance_s` away.
        """
        return self._following().near(time_ns, timeout_s, "state", tolerance_s)

    # ---------------------------------------------------------------- the lease

    def acquire(self, holder: str, ttl_s: float = 1.0) -> Lease:
        """Acquire the lease as `holder`. It lapses when no command or renewal is sent for `ttl_s` seconds (0.05 to
        10)."""
        lease = self._ask(AcquireLease(holder, ttl_s), Lease)
        self._token = lease.token
        self._sequence = 0
        return self._local(lease)

    def renew(self) -> Lease:
        """Extend the lease by its time-to-live."""
        return self._local(self._ask(RenewLease(self._token), Lease))

    def release(self) -> None:
        """Give the lease back; the arm ramps to hold."""
        token, self._token = self._token, ""
        self._ask(ReleaseLease(token), Done)

    # ---------------------------------------------------------------- commands

    def send_waypoints(self, waypoints: Sequence[Waypoint], deadline_ns: int | None = None) -> Accepted:
        """Move through `waypoints`, at most 64; also renews the lease. The driver refuses the command after the
        monotonic `deadline_ns`, by default 0.1 s from now."""
        self._sequence += 1
        if deadline_ns is None:
            deadline_ns = time.monotonic_ns() + round(COMMAND_LIFE_S * 1e9)
        ahead_ns = self.clock.ns
        if ahead_ns:
            deadline_ns += ahead_ns
            waypoints = [msgspec.structs.replace(each, time_ns=each.time_ns + ahead_ns) for each in waypoints]
        return self._ask(Waypoints(self._token, self._sequence, deadline_ns, tuple(waypoints)), Accepted)

    def stop(self, reason: str) -> None:
        """Ramp to rest and stay stopped until `reset`; needs no lease, and ends the present lease."""
        self._ask(Stop(reason), Done)

    def reset(self) -> None:
        """Leave the mode stopped, or restart an arm that is in a fault; the lease must then be acquired again."""
        self._ask(Reset(), Done, max(self._timeout_s, RESET_S))

    def place_objects(self, objects: Sequence[ObjectPose]) -> None:
        """Put simulated objects at the given poses, at rest; needs the lease."""
        self._ask(PlaceObjects(self._token, tuple(objects)), Done)

    # ---------------------------------------------------------------- closing

    def give_back(self) -> None:
        """Give the lease back if it is still held; the arm then holds, as it does when the lease lapses."""
        # Lapsed, revoked, or the driver is gone: in each case there is nothing left to give back.
        with suppress(Refused, ConnectionLost):
            if self._token:
                self.release()

    def close(self) -> None:
        """Give the lease back if it is held, and disconnect."""
        try:
            self.give_back()
        finally:
            if self._states is not None:
                self._states.close()
                self._states = None
            self._socket.close()
            self._context.term()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- requests

    def _following(self) -> Subscription[JointState]:
        if self._states is None:
            raise ConnectionLost("this client is closed")
        return self._states

    def _ask(self, body: Message, answer: type[A], timeout_s: float | None = None) -> A:
        """Send one request and return its answer. The number sent before it distinguishes the answer from a late answer
        to an older request."""
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        self._asked += 1
        number = self._asked.to_bytes(8, "big")
        payload = encode(body, self._asked, time.monotonic_ns())  # type: ignore[arg-type]
        if len(payload) > MAX_REQUEST_BYTES:
            raise WireError(f"a request of {len(payload)} bytes is larger than the {MAX_REQUEST_BYTES} allowed")
        patience = Patience(timeout_s)
        sent_ns = time.monotonic_ns()
        if not self._ready(zmq.POLLOUT, patience):
            raise self._lost(timeout_s)
        try:
            self._socket.send_multipart([number, payload], zmq.NOBLOCK)
        except zmq.Again:  # the driver went away since it was found ready
            raise self._lost(timeout_s) from None
        while self._ready(zmq.POLLIN, patience):
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            if len(frames) != 2 or frames[0] != number:
                continue
            envelope = decode(frames[1])
            self.clock.exchange(sent_ns, envelope.sent_ns, time.monotonic_ns())
            said = envelope.body
            if isinstance(said, Refusal):
                raise Refused(said.reason, said.detail)
            if not isinstance(said, answer):
                raise WireError(f"{self.command_address} answered {type(said).__name__} to {type(body).__name__}")
            return said
        raise self._lost(timeout_s)

    def _local(self, lease: Lease) -> Lease:
        return msgspec.structs.replace(lease, expires_ns=lease.expires_ns - self.clock.ns)

    def _ready(self, event: int, patience: Patience) -> bool:
        while step_s := patience.step_s:
            if self._socket.poll(max(1, round(1000 * step_s)), event):
                return True
        return bool(self._socket.poll(0, event))

    def _lost(self, timeout_s: float) -> ConnectionLost:
        return ConnectionLost(
            f"no driver answered at {self.command_address} within {timeout_s:g} s; is it running there? "
            "`worldarm driver --arm sim` starts a simulated one"
        )
