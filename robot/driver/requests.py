"""Answers a bounded number of requests per tick. A malformed request, from any sender, gets an answer and never ends
the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from robot.driver.inbox import Inbox, Request
from robot.errors import Refused, WireError
from robot.flight_log.records import Asked
from robot.wire.keyring import Role, includes
from robot.wire.limits import MAX_REASON_LENGTH, MAX_REQUEST_BYTES, REQUEST_SHARE, REQUESTS_A_TICK
from robot.wire.messages import (
    AcquireLease,
    Body,
    PlaceObjects,
    Refusal,
    ReleaseLease,
    RenewLease,
    Reset,
    SpecRequest,
    Stop,
    Waypoints,
    decode_request,
)

ROLES: dict[type[Any], Role] = {SpecRequest: Role.WATCH, Stop: Role.STOP}
"""The role that a sender needs; all other requests need `command`."""
NOTED = frozenset(kind.__name__ for kind in (AcquireLease, ReleaseLease, Stop, Reset, PlaceObjects))
"""The requests that the flight log records when they are carried out: others are frequent or change nothing."""

QUICK = (SpecRequest, RenewLease, Waypoints)
"""The requests that are answered between ticks: they are frequent and change no mode."""

Handlers = Mapping[type[Any], Callable[[Any], Body]]


class RequestServer:
    """Answers the requests of `inbox` with the handler of their type in `handlers`, which may raise `Refused`, if the
    sender's role permits them. Passes each request for the flight log, with the lease `holder` at that time, to `note`.
    While a handler runs, `sender` is the key of the one who asked; it is empty where no keys are needed."""

    def __init__(
        self,
        inbox: Inbox,
        handlers: Handlers,
        encode: Callable[[Body], bytes],
        note: Callable[[Asked], None],
        holder: Callable[[], str],
    ) -> None:
        self._inbox = inbox
        self.sender = ""
        self._handlers = handlers
        self._encode = encode
        self._note = note
        self._holder = holder
        self._refusal_noted = False
        self._left = self._left_ns = 0
        self._waiting: tuple[Request, Body | WireError] | None = None

    def serve(self, period_s: float) -> None:
        """Begin a period: answer the waiting requests, without blocking, within `REQUEST_SHARE` of the period."""
        self._left, self._left_ns = REQUESTS_A_TICK, round(REQUEST_SHARE * period_s * 1e9)
        self._refusal_noted = False
        while self._has_time and self._take_up():
            pass

    def serve_until(self, deadline_ns: int, period_s: float) -> None:
        """Answer `QUICK` requests that come during the rest of the period, so that their senders need not wait for the
        next tick. Use at most the rest of `REQUEST_SHARE`, and return early enough before `deadline_ns` for one
        request.

        Any other request waits for the tick, whose state then shows its effect; so do the requests after it.
        """
        until_ns = deadline_ns - round(REQUEST_SHARE * period_s * 1e9)
        while self._has_time and self._waiting is None and self._inbox.wait(until_ns):
            self._take_up(quick=True)

    @property
    def _has_time(self) -> bool:
        return self._left > 0 and self._left_ns > 0

    def _take_up(self, quick: bool = False) -> bool:
        """Answer one request and return whether there was one. With `quick`, a request that is not `QUICK` is left
        waiting. A part of a long message counts against the time too."""
        began_ns = time.monotonic_ns()
        taken = self._waiting if self._waiting is not None else self._receive()
        self._waiting = None
        if taken is not None:
            request, body = taken
            if quick and not isinstance(body, QUICK):
                self._waiting = taken
            else:
                self._inbox.answer(request, self._encode(self._handle(request, body)))
        self._left -= 1
        self._left_ns -= time.monotonic_ns() - began_ns
        return taken is not None

    def _receive(self) -> tuple[Request, Body | WireError] | None:
        """Return the next request with its body, or with the error when it cannot be decoded."""
        request = self._inbox.receive()
        if request is None:
            return None
        if request.payload is None:
            return request, WireError(f"a request is one frame of at most {MAX_REQUEST_BYTES} bytes")
        try:
            return request, decode_request(request.payload).body
        except WireError as error:
            return request, error

    def _handle(self, request: Request, body: Body | WireError) -> Body:
        answer, asked = self._answer(request, body)
        refused = f"{answer.reason}: {answer.detail}"[:MAX_REASON_LENGTH] if isinstance(answer, Refusal) else ""
        # One refusal per tick, so that a flood of bad requests does not displace all other records in the flight log.
        if (asked in NOTED and not refused) or (refused and not self._refusal_noted):
            self._refusal_noted = self._refusal_noted or bool(refused)
            self._note(Asked(time.monotonic_ns(), asked, self._holder(), refused))
        return answer

    def _answer(self, request: Request, body: Body | WireError) -> tuple[Body, str]:
        """Carry out `request`; return the answer and the name of the request, empty when it was malformed."""
        if isinstance(body, WireError):
            return Refusal("malformed", str(body)[:MAX_REASON_LENGTH]), ""
        name = type(body).__name__
        handler = self._handlers.get(type(body))
        if handler is None:
            return Refusal("malformed", f"{name} is not a request"), name
        try:
            _require_role(request.role, ROLES.get(type(body), Role.COMMAND))
            self.sender = request.key
            return handler(body), name
        except Refused as error:
            return Refusal(error.reason, error.detail), name


def _require_role(role: Role | None, wanted: Role) -> None:
    if role is None or not includes(role, wanted):
        raise Refused("not-allowed", f"your key lacks the role {wanted.value} here; `worldarm keys allow` gives it")
