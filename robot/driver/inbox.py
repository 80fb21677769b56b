"""The driver's end of the command socket: it receives requests and sends answers, and no peer can block it.

A request is a ZeroMQ message whose last frame is the payload; the frames before it are the return address and come back
unchanged before the answer. A DEALER can therefore number its requests, and a REQ socket works unchanged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import zmq

from robot.wire import sockets
from robot.wire.curve_gate import Gate
from robot.wire.keyring import Role
from robot.wire.messages import MAX_REQUEST_BYTES

_MAX_FRAME_BYTES = 1024 * 1024
_MAX_FRAMES = 6
_MAX_FRAMES_A_CALL = 64
_QUEUE = 64


@dataclass(frozen=True)
class Request:
    """One message: `route` is the return address, sent before the answer; `payload` is None when the message was too
    large or wrongly framed. `key` is the sender's public key where there is a gate."""

    route: tuple[bytes, ...]
    payload: bytes | None
    key: str = ""


class Inbox:
    """A bound ROUTER socket. `endpoint` is the address actually bound. Raises `ConfigurationError` and `AddressInUse`,
    as `sockets.bind` does."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, gate: Gate | None = None) -> None:
        self._guarded = gate is not None
        self._socket = sockets.make(context, zmq.ROUTER, _QUEUE)
        # A larger frame closes its sender's connection before memory is allocated for it.
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES)
        self._frames: list[bytes] = []
        self._surplus = False
        try:
            # A key with the role watch may connect and request the specification; every other request is checked by
            # itself.
            self.endpoint = sockets.bind(self._socket, address, Role.WATCH, gate)
        except BaseException:
            self._socket.close()
            raise

    def receive(self) -> Request | None:
        """Return the next request, or None when there is none now.

        A message of very many small frames is read a few frames per call and dropped, so that it cannot block the loop.
        """
        for _ in range(_MAX_FRAMES_A_CALL):
            try:
                frame = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return None
            if len(self._frames) < _MAX_FRAMES:
                self._frames.append(frame.bytes)
            else:
                self._surplus = True
            if not self._socket.getsockopt(zmq.RCVMORE):
                # The sender's public key from the handshake; ZeroMQ attaches it to every frame except the return
                # address.
                return self._finish(str(frame.get("User-Id")) if self._guarded else "")
        return None

    def wait(self, until_ns: int) -> bool:
        """Wait for a request until `until_ns`, rounded down to the millisecond; return whether there is one."""
        remaining_ms = (until_ns - time.monotonic_ns()) // 1_000_000
        return remaining_ms > 0 and self._socket.poll(remaining_ms) != 0

    def answer(self, request: Request, payload: bytes) -> None:
        """Send `payload` back; dropped when the peer has gone or does not read its answers."""
        try:
            self._socket.send_multipart([*request.route, payload], zmq.NOBLOCK)
        except zmq.Again:
            return  # only this peer misses its answer; its own timeout reports that

    def close(self) -> None:
        """Release the address."""
        self._socket.close()

    def _finish(self, key: str) -> Request:
        frames, surplus = self._frames, self._surplus
        self._frames, self._surplus = [], False
        if surplus or len(frames) < 2:
            return Request((frames[0],), None, key)
        route = tuple(frames[:-1])
        if len(frames[-1]) > MAX_REQUEST_BYTES:
            return Request(route, None, key)
        return Request(route, frames[-1], key)
