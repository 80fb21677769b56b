"""Making sockets the one way worldarm makes them: bounded queues, no lingering, plain errors, and nothing in the clear.

On this machine's loopback anyone may connect who can run a process here. Anything else needs keys on both sides, and is
refused before a socket exists: in the clear a stranger on the network could move the arm.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

import zmq

from robot.errors import AddressInUse, ConfigurationError
from robot.wire.clock_offset import ClockOffset, SameClock
from robot.wire.curve_gate import Gate
from robot.wire.keyring import Role, usual_keyring

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")


class Address(NamedTuple):
    """Where a socket is: an IP address or, to connect to, a `host`'s name, and a `port` that may be "*" or "0"."""

    host: str
    port: str

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine reaches it."""
        ip = _ip(self.host)
        return ip is not None and ip.is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it stands for all of a machine's addresses."""
        ip = _ip(self.host)
        return ip is not None and ip.is_unspecified

    @property
    def endpoint(self) -> str:
        """The same as ZeroMQ writes it."""
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def parse(address: str) -> Address:
    """Return what `address`, like tcp://127.0.0.1:5551, means. Raises `ConfigurationError` when it means nothing."""
    host, colon, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not colon:
        raise ConfigurationError(f"{address!r} is not an address; write it like tcp://127.0.0.1:5551")
    if port != "*" and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigurationError(f"{address!r} has no port; give a number up to 65535, or * to have one chosen")
    host = {"localhost": "127.0.0.1", "*": "0.0.0.0"}.get(host, host.strip("[]"))
    if _ip(host) is None and (not _HOST_NAME.fullmatch(host) or host.rpartition(".")[2].isdigit()):
        raise ConfigurationError(f"{address!r} names no host; write it like tcp://127.0.0.1:{port}")
    return Address(host, port)


def seen_from(peer: str, address: str) -> str:
    """Return `address`, which a process bound that was reached at `peer`, as it is reached from here."""
    bound = parse(address)
    return bound._replace(host=parse(peer).host).endpoint if bound.everywhere else address


def clock_at(address: str) -> ClockOffset:
    """Return what learns how far ahead the clock of whoever is at `address` is: on this machine it is the same one."""
    return SameClock() if parse(address).loopback else ClockOffset()


def make(context: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int) -> zmq.Socket[bytes]:
    """Return a socket that holds at most `queue` messages each way and drops what is unsent when closed."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, queue)
    socket.setsockopt(zmq.RCVHWM, queue)
    socket.setsockopt(zmq.LINGER, 0)
    return socket


def bind(socket: zmq.Socket[bytes], address: str, role: Role, gate: Gate | None = None) -> str:
    """Bind `socket` and return the endpoint it really has, its port filled in. Whoever connects needs `role` where
    there is a `gate`.

    Raises `ConfigurationError` for an address that others reach when there is no gate, or none of this machine's, and
    `AddressInUse` when another process has it.
    """
    where = parse(address)
    if _ip(where.host) is None:
        raise ConfigurationError(f"{address!r} cannot be bound: give an address of this machine's, not a name")
    if gate is None and not where.loopback:
        raise ConfigurationError(
            f"{address!r} is not on this machine's loopback, and others may connect to it with keys alone; "
            f"use tcp://127.0.0.1:{where.port}"
        )
    if gate is not None:
        gate.guard(socket, role)
    endpoint = where.endpoint
    if ":" in where.host:
        socket.setsockopt(zmq.IPV6, 1)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise AddressInUse(
                f"{endpoint} is held by another process; stop that one, or choose another port (* has one chosen)"
            ) from error
        raise ConfigurationError(f"{endpoint} cannot be bound: {error}") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def gate_for(context: zmq.Context[zmq.Socket[bytes]], *addresses: str, curve: bool = False) -> Gate | None:
    """Return the gate that sockets at `addresses` need: one where others reach any of them, or `curve` is wanted.

    Raises `ConfigurationError` for no address, and when this machine has no keys but needs some.
    """
    open_to_others = [address for address in addresses if not parse(address).loopback]
    if not (curve or open_to_others):
        return None
    try:
        return Gate(context, usual_keyring())
    except ConfigurationError as error:
        why = f"{open_to_others[0]!r} is not on this machine's loopback" if open_to_others else "CURVE is wanted"
        raise ConfigurationError(f"{why}, which takes keys: {error}") from error


def connect(socket: zmq.Socket[bytes], address: str) -> None:
    """Connect `socket`, now or whenever the other process appears: with keys to a host that serves with a known one.

    Raises `ConfigurationError` for no address, and for one beyond this machine that serves with no known key.
    """
    where = parse(address)
    if where.port in ("*", "0"):
        raise ConfigurationError(f"{address!r} names no port to connect to; the process that bound it printed one")
    if where.everywhere:
        raise ConfigurationError(f"{address!r} names no machine to connect to; give its address")
    keyring = usual_keyring()
    server = keyring.server_at(where.host)
    if server is None and not where.loopback:
        raise ConfigurationError(
            f"no key of {where.host} is known, and without one nobody could tell it from a stranger: run `worldarm "
            f"keys list` there, and here `worldarm keys allow NAME KEY --role serve --host {where.host}`"
        )
    if server is not None:
        own = keyring.own()
        socket.curve_serverkey = server.encode()
        socket.curve_publickey = own.public.encode()
        socket.curve_secretkey = own.secret.encode()
    if ":" in where.host:
        socket.setsockopt(zmq.IPV6, 1)
    socket.connect(where.endpoint)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
