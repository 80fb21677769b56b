"""The driver's end of the command socket: it receives requests and sends answers, and no peer can block it.

The socket itself is in a process of its own, `robot.driver.inbox_process`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

from robot.wire.broker import Broker, Task
from robot.wire.keyring import Role

REQUEST, COMMANDERS = b"request", b"commanders"
"""What the broker passes on: a request, or the keys that may command at present."""
_MODULE = "robot.driver.inbox_process"
_QUEUE = 64


@dataclass(frozen=True)
class Request:
    """One message: `route` is the return address, sent before the answer; `payload` is None when the message was too
    large or wrongly framed. `role` is what the sender may do at present; None is nothing. Where keys are needed, `key`
    is the sender's public key."""

    route: tuple[bytes, ...]
    payload: bytes | None
    key: str = ""
    role: Role | None = None


class Inbox:
    """A bound command socket. `endpoint` is the address actually bound. `commanders` are the keys that may command at
    present; None where no keys are needed. Raises `ConfigurationError` and `AddressInUse`, as `sockets.bind` does."""

    def __init__(self, address: str, curve: bool = False) -> None:
        self._broker = Broker(_MODULE, Task(address, _QUEUE, curve))
        self.endpoint = self._broker.endpoint
        self.commanders: frozenset[str] | None = None

    def receive(self) -> Request | None:
        """Return the next request, or None when there is none now."""
        parts = self._broker.receive()
        if parts is None:
            return None
        if parts[0] == COMMANDERS:
            self.commanders = frozenset(msgspec.json.decode(parts[1], type=list[str]))
            return None
        _, key, role, whole, *frames = parts
        route, payload = (tuple(frames[:-1]), frames[-1]) if whole else (tuple(frames), None)
        return Request(route, payload, key.decode(), Role(role.decode()) if role else None)

    def wait(self, until_ns: int) -> bool:
        """Wait for a request until `until_ns`, rounded down to the millisecond; return whether there is one."""
        remaining_ms = (until_ns - time.monotonic_ns()) // 1_000_000
        return remaining_ms > 0 and self._broker.wait(1e-3 * remaining_ms)

    def answer(self, request: Request, payload: bytes) -> None:
        """Send `payload` back; dropped when the peer has gone or does not read its answers."""
        self._broker.send([*request.route, payload])

    def close(self) -> None:
        """Release the address."""
        self._broker.close()
