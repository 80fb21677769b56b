"""A local channel between a process and its broker: messages of a few parts, in order, in bounded memory.

It is a pair of connected Unix sockets that keep packet boundaries. Sending never waits unless asked to: a packet that
does not fit into the kernel's buffer is not sent. A message that is larger than a packet is sent in pieces.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

import msgspec

_PIECE_BYTES = 64 * 1024
_FIRST, _LAST = 1, 2
"""Bits of a piece's first byte. A first piece begins a new message, also where the one before was left unfinished."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


class ChannelClosed(Exception):
    """The process at the other end has ended."""


class Channel:
    """One end of a channel. `send` and `receive` are each for one thread at a time."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._pieces: list[bytes] = []

    @staticmethod
    def pair() -> tuple[Channel, socket.socket]:
        """Return an end for this process, and the socket of the other end, to be inherited by a child process."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(here), there

    def fileno(self) -> int:
        """The descriptor, for polling."""
        return self._socket.fileno()

    def send(self, parts: Sequence[bytes], patience_s: float = 0.0) -> bool:
        """Send a message, waiting at most `patience_s` for room; return whether it was sent. Raises `ChannelClosed`."""
        data = _encoder.encode(parts)
        deadline = time.monotonic() + patience_s
        for begin in range(0, len(data), _PIECE_BYTES):
            mark = (_FIRST if begin == 0 else 0) | (_LAST if begin + _PIECE_BYTES >= len(data) else 0)
            left_s = max(0.0, deadline - time.monotonic()) if patience_s else 0.0
            if not self._packet(bytes((mark,)) + data[begin : begin + _PIECE_BYTES], left_s):
                return False
        return True

    def receive(self) -> list[bytes] | None:
        """Return the next message, or None when there is none now. Raises `ChannelClosed`."""
        while True:
            try:
                packet = self._socket.recv(1 + _PIECE_BYTES)
            except BlockingIOError:
                return None
            except OSError as error:
                raise ChannelClosed from error
            if not packet:
                raise ChannelClosed
            if packet[0] & _FIRST:
                self._pieces = []
            self._pieces.append(packet[1:])
            if packet[0] & _LAST:
                data, self._pieces = b"".join(self._pieces), []
                return _decoder.decode(data)

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`, rounded down to the millisecond, for a message; return whether there is one."""
        return _poll(self._socket, select.POLLIN, int(1e3 * seconds) / 1e3)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _packet(self, packet: bytes, patience_s: float) -> bool:
        try:
            self._socket.send(packet)
        except BlockingIOError:
            if patience_s <= 0 or not _poll(self._socket, select.POLLOUT, patience_s):
                return False
            return self._packet(packet, 0.0)
        except OSError as error:
            raise ChannelClosed from error
        return True


def _poll(end: socket.socket, event: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(end, event)
    return bool(poller.poll(max(0.0, 1e3 * seconds)))
