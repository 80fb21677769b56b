"""Making sockets the one way worldarm makes them: loopback only, bounded queues, no lingering, plain errors.

Anything but loopback would let a stranger on the network move the arm, so it is refused before a socket exists.
"""

from __future__ import annotations

import ipaddress

import zmq

from robot.errors import AddressInUse, ConfigurationError


def loopback(address: str) -> str:
    """Return `address` in the form that ZeroMQ binds and connects, "tcp://IP:PORT".

    The port may be 0 or "*" to let the system choose one. Raises `ConfigurationError` for anything that is not
    TCP on this machine's loopback interface.
    """
    host, colon, port = address.removeprefix("tcp://").rpartition(":")
    if not address.startswith("tcp://") or not colon:
        raise ConfigurationError(f"{address!r} is not an address; write it like tcp://127.0.0.1:5551")
    if port != "*" and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigurationError(f"{address!r} has no port; give a number up to 65535, or * to have one chosen")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ConfigurationError(f"{address!r} is not on this machine's loopback; use tcp://127.0.0.1:{port}")
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def make(context: zmq.Context[zmq.Socket[bytes]], kind: int, queue: int) -> zmq.Socket[bytes]:
    """Return a socket that holds at most `queue` messages each way and drops what is unsent when closed."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, queue)
    socket.setsockopt(zmq.RCVHWM, queue)
    socket.setsockopt(zmq.LINGER, 0)
    return socket


def bind(socket: zmq.Socket[bytes], address: str) -> str:
    """Bind `socket` and return the endpoint it really has, its port filled in.

    Raises `ConfigurationError` for an address that is not loopback, `AddressInUse` when another process has it.
    """
    endpoint = loopback(address)
    if endpoint.startswith("tcp://["):
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


def connect(socket: zmq.Socket[bytes], address: str) -> None:
    """Connect `socket`, now or whenever the other process appears. Raises `ConfigurationError` as `loopback`."""
    endpoint = loopback(address)
    if endpoint.startswith("tcp://["):
        socket.setsockopt(zmq.IPV6, 1)
    if endpoint.endswith((":*", ":0")):
        raise ConfigurationError(f"{address!r} names no port to connect to; the process that bound it printed one")
    socket.connect(endpoint)
