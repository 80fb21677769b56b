"""The driver's end of the command socket: requests in, answers out, never blocking, whatever a peer sends.

A request is a ZeroMQ message whose last frame is the payload; the frames before it are the return address and
come back unchanged before the answer, so a DEALER can number its requests and a REQ socket works as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import zmq

from robot.wire import sockets
from robot.wire.curve_gate import Gate
from robot.wire.keyring import Role

MAX_REQUEST_BYTES = 16 * 1024
"""Decoding this many bytes takes a tenth of a tick; the longest command that is taken has half of them."""
_MAX_FRAME_BYTES = 1024 * 1024
_MAX_FRAMES = 6
_MAX_FRAMES_A_CALL = 64
_QUEUE = 64


@dataclass(frozen=True)
class Request:
    """One message: `route` goes before the answer; `payload` is None when it was too large or oddly framed. `key` is
    the sender's public key where there is a gate."""

    route: tuple[bytes, ...]
    payload: bytes | None
    key: str = ""


class Inbox:
    """A bound ROUTER socket. `endpoint` is where it really is. Raises what `sockets.bind` raises."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, gate: Gate | None = None) -> None:
        self._guarded = gate is not None
        self._socket = sockets.make(context, zmq.ROUTER, _QUEUE)
        # A frame beyond this closes its sender's connection before the memory is spent.
        self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_FRAME_BYTES)
        self._frames: list[bytes] = []
        self._surplus = False
        try:
            # Whoever may watch may ask what there is to watch; what else is allowed is asked for each request.
            self.endpoint = sockets.bind(self._socket, address, Role.WATCH, gate)
        except BaseException:
            self._socket.close()
            raise

    def receive(self) -> Request | None:
        """Return the next request, or None when there is none now.

        A message of endless small frames is read a few frames a call and dropped, so that it cannot hold the loop.
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
                # The handshake's name for whoever sent it; ZeroMQ tells it with every frame but the return address.
                return self._finish(str(frame.get("User-Id")) if self._guarded else "")
        return None

    def wait(self, until_ns: int) -> bool:
        """Wait, to the millisecond below `until_ns`, for something to receive; return whether there is something."""
        remaining_ms = (until_ns - time.monotonic_ns()) // 1_000_000
        return remaining_ms > 0 and self._socket.poll(remaining_ms) != 0

    def answer(self, request: Request, payload: bytes) -> None:
        """Send `payload` back; dropped when the peer has gone or does not read its answers."""
        try:
            self._socket.send_multipart([*request.route, payload], zmq.NOBLOCK)
        except zmq.Again:
            return  # only this peer misses its own answer; it has a timeout of its own

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
