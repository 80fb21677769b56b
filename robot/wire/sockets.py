"""Makes all of worldarm's sockets: bounded queues, no lingering, plain errors, and no unencrypted network traffic.

Every process of this machine may connect over its loopback. Any other connection needs keys on both sides; without them
it is refused before a socket exists, because an unknown client on the network could otherwise move the arm.
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
from robot.wire.limits import HANDSHAKE_S, HEARTBEAT_S, MAX_CURVE_HANDSHAKE_BYTES, MAX_MESSAGE_BYTES, SILENCE_S

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")


class Address(NamedTuple):
    """The address of a socket: `host` is an IP address or, for connecting, a host name; `port` may be "*" or "0"."""

    host: str
    port: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        ip = _ip(self.host)
        return ip is not None and ip.is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it stands for all of a machine's addresses."""
        ip = _ip(self.host)
        return ip is not None and ip.is_unspecified

    @property
    def endpoint(self) -> str:
        """The address in ZeroMQ's notation."""
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def parse(address: str) -> Address:
    """Parse `address`, such as tcp://127.0.0.1:5551. Raises `ConfigurationError` when it is not an address."""
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
    """Return how this machine reaches `address`, which was bound by the process at `peer`."""
    bound = parse(address)
    return bound._replace(host=parse(peer).host).endpoint if bound.everywhere else address


def clock_at(address: str) -> ClockOffset:
    """Return the estimator of the clock offset of the process at `address`; on this machine both share one clock."""
    return SameClock() if parse(address).loopback else ClockOffset()


def make(context: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int) -> zmq.Socket[bytes]:
    """Return a socket that holds at most `queue` messages in each direction and drops unsent ones when closed."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, queue)
    socket.setsockopt(zmq.RCVHWM, queue)
    socket.setsockopt(zmq.LINGER, 0)
    return socket


def bind(socket: zmq.Socket[bytes], address: str, role: Role, max_frame_bytes: int, gate: Gate | None = None) -> str:
    """Bind `socket` and return its actual endpoint, with the port filled in. Where there is a `gate`, clients need
    `role`. A frame of more than `max_frame_bytes` closes the connection that it came on, before memory is allocated for
    it; so does a peer that does not introduce itself, or later does not answer whether it is there.

    Raises `ConfigurationError` for an address that other machines reach when there is no gate, and for one that is not
    this machine's. Raises `AddressInUse` when another process holds the address.
    """
    where = parse(address)
    if _ip(where.host) is None:
        raise ConfigurationError(f"{address!r} cannot be bound: give an IP address of this machine, not a name")
    if gate is None and not where.loopback:
        raise ConfigurationError(
            f"{address!r} is not on this machine's loopback, and other machines may connect only with keys; "
            f"use tcp://127.0.0.1:{where.port}"
        )
    if gate is not None:
        gate.guard(socket, role)
        max_frame_bytes = max(max_frame_bytes, MAX_CURVE_HANDSHAKE_BYTES)
    socket.setsockopt(zmq.MAXMSGSIZE, max_frame_bytes)
    socket.setsockopt(zmq.HANDSHAKE_IVL, round(1e3 * HANDSHAKE_S))
    socket.setsockopt(zmq.HEARTBEAT_IVL, round(1e3 * HEARTBEAT_S))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(1e3 * SILENCE_S))
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


def needs_keys(*addresses: str, curve: bool = False) -> bool:
    """Return whether sockets at `addresses` need keys: with `curve`, and where other machines reach one of them.

    Raises `ConfigurationError` for an invalid address, and when this machine needs keys but has none.
    """
    open_to_others = [address for address in addresses if not parse(address).loopback]
    if not (curve or open_to_others):
        return False
    try:
        usual_keyring().own()
    except ConfigurationError as error:
        why = f"{open_to_others[0]!r} is not on this machine's loopback" if open_to_others else "CURVE is required"
        raise ConfigurationError(f"{why}, which needs keys: {error}") from error
    return True


def gate_for(context: zmq.Context[zmq.Socket[bytes]], *addresses: str, curve: bool = False) -> Gate | None:
    """Return the gate for sockets at `addresses`; None where they need no keys. Raises what `needs_keys` raises."""
    return Gate(context, usual_keyring()) if needs_keys(*addresses, curve=curve) else None


def connect(socket: zmq.Socket[bytes], address: str) -> None:
    """Connect `socket`, now or when the other process appears; with keys where the server's key is known.

    Raises `ConfigurationError` for an invalid address, and for another machine whose key is not known.
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
            f"no key of {where.host} is known, so its identity cannot be verified: run `worldarm "
            f"keys list` there, and here `worldarm keys allow NAME KEY --role serve --host {where.host}`"
        )
    if server is not None:
        own = keyring.own()
        socket.curve_serverkey = server.encode()
        socket.curve_publickey = own.public.encode()
        socket.curve_secretkey = own.secret.encode()
    if ":" in where.host:
        socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    socket.connect(where.endpoint)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
