"""A peer that speaks ZeroMQ's protocol by hand (ZMTP 3.0 without keys), and need not keep to it."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from robot.wire import sockets

_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


class RawPeer:
    """A TCP connection to the socket at `address`; with `kind` (such as b"DEALER") introduced, without it silent."""

    def __init__(self, address: str, kind: bytes = b"") -> None:
        where = sockets.parse(address)
        self.alive = True
        self.socket = socket.create_connection((where.host, int(where.port)), timeout=30.0)
        if kind:
            self.socket.sendall(_GREETING)
            ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
            self.socket.sendall(b"\x04" + bytes((len(ready),)) + ready)

    def frame(self, data: bytes, more: bool = False) -> bool:
        """Send one frame; return whether the other side still takes it."""
        return self.send(struct.pack(">BQ", 2 + more, len(data)) + data)

    def announce(self, size: int) -> bool:
        """Send only the head of a frame of `size` bytes."""
        return self.send(struct.pack(">BQ", 2, size))

    def send(self, data: bytes) -> bool:
        """Send bytes; return whether the other side still takes them."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.alive = False
        return self.alive

    def drain(self) -> None:
        """Drop what has been received so far."""
        with suppress(BlockingIOError, OSError):
            while self.socket.recv(65536, socket.MSG_DONTWAIT):
                pass

    def hung_up(self, within_s: float) -> bool:
        """Return whether the other side closes the connection within that time, whatever it says before."""
        self.socket.settimeout(within_s)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self.socket.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
