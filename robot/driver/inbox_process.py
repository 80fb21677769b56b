"""The broker of a driver's command socket: it passes whole, bounded requests on, each with its sender's role.

A request is a ZeroMQ message whose last frame is the payload; the frames before it are the return address and come back
unchanged before the answer. A DEALER can therefore number its requests, and a REQ socket works unchanged.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
import zmq

from robot.driver.inbox import COMMANDERS, REQUEST
from robot.wire.broker import Task
from robot.wire.broker_process import Service, run
from robot.wire.channel import Channel
from robot.wire.keyring import Other, Role
from robot.wire.limits import BROKER_CHECK_S, MAX_REQUEST_BYTES, MAX_REQUEST_FRAME_BYTES, MAX_REQUEST_FRAMES

_FRAMES_A_TURN = 64
_ANSWERS_A_TURN = 64


class InboxService(Service):
    """A ROUTER socket. A key with the role watch may connect and request the specification; the driver checks the role
    of the sender for each other request."""

    def __init__(self, channel: Channel, task: Task) -> None:
        super().__init__(channel, task, zmq.ROUTER, MAX_REQUEST_FRAME_BYTES)
        self._frames: list[bytes] = []
        self._surplus = False
        self._waiting: list[bytes] | None = None
        self._listed: tuple[Other, ...] | None = None

    def answer(self) -> None:
        """Send the answers that wait in the channel; one is dropped when its peer has gone or does not read. Raises
        `ChannelClosed`."""
        for _ in range(_ANSWERS_A_TURN):
            parts = self.channel.receive()
            if parts is None:
                return
            with suppress(zmq.Again):
                self.socket.send_multipart(parts, zmq.NOBLOCK)

    def pass_on(self) -> bool:
        """Pass requests on while the driver has room for them; return whether it has. Raises `ChannelClosed`."""
        for _ in range(_FRAMES_A_TURN):
            # Before a request, so that the driver never knows less than the role that the request comes with.
            if not self.tell_commanders():
                return False
            if self._waiting is not None and not self.channel.send(self._waiting):
                return False
            self._waiting = None
            try:
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return True
            self._take(frame)
        return True

    def tell_commanders(self) -> bool:
        """Tell the driver which keys may command, whenever the list changes; return whether it knows. Raises
        `ChannelClosed`."""
        if self.gate is None:
            return True
        listed = self.gate.listed()
        if listed is self._listed:
            return True
        commanders = sorted(self.gate.holders(Role.COMMAND))
        if not self.channel.send([COMMANDERS, msgspec.json.encode(commanders)]):
            return False
        self._listed = listed
        return True

    def rebind(self) -> None:
        """As `Service.rebind`; the request that was being received is dropped."""
        self._frames, self._surplus = [], False
        super().rebind()

    def _take(self, frame: zmq.Frame) -> None:
        """Add a frame to its request. Of a request of very many frames all but the first few are dropped."""
        if len(self._frames) < MAX_REQUEST_FRAMES:
            self._frames.append(frame.bytes)
        else:
            self._surplus = True
        if frame.more:
            return
        frames, surplus = self._frames, self._surplus
        self._frames, self._surplus = [], False
        # The sender's public key from the handshake; ZeroMQ attaches it to every frame except the return address.
        key = str(frame.get("User-Id")) if self.gate is not None else ""
        # Where no keys are needed, every process of this machine may command.
        role = self.gate.role_of(key) if self.gate is not None else Role.COMMAND
        sender = [REQUEST, key.encode(), b"" if role is None else role.value.encode()]
        if surplus or len(frames) < 2:
            self._waiting = [*sender, b"", frames[0]]
        elif len(frames[-1]) > MAX_REQUEST_BYTES:
            self._waiting = [*sender, b"", *frames[:-1]]
        else:
            self._waiting = [*sender, b"whole", *frames]


def serve(service: InboxService) -> None:
    """Pass requests and answers on until the channel closes. Raises `ChannelClosed`."""
    while True:
        room = service.pass_on()
        # While the driver has no room for more, nothing is read from the socket: its peers wait, in bounded queues.
        wanted = zmq.POLLIN if room else 0
        service.poller.modify(service.socket, wanted)
        service.poller.poll(round(1e3 * BROKER_CHECK_S) if room else 1)
        service.answer()
        if service.due():
            service.check_memory()
            service.tell_commanders()


if __name__ == "__main__":
    run(InboxService, serve)
