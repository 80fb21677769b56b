"""The broker of a publisher: it passes what it is given to all subscribers, and disconnects who may not watch.

Who subscribes to very many topics, or makes them long, costs this process time and memory, and no other.
"""

from __future__ import annotations

from contextlib import suppress

import zmq

from robot.wire.broker import Task
from robot.wire.broker_process import Service, run
from robot.wire.channel import Channel
from robot.wire.keyring import Role
from robot.wire.limits import (
    BROKER_CHECK_S,
    MAX_SUBSCRIPTION_BYTES,
    MAX_SUBSCRIPTIONS,
)

_MESSAGES_A_TURN = 64
_SUBSCRIBED = 1


class PublisherService(Service):
    """An XPUB socket, which lets the process count its subscriptions."""

    def __init__(self, channel: Channel, task: Task) -> None:
        super().__init__(channel, task, zmq.XPUB, MAX_SUBSCRIPTION_BYTES)
        self._topics: set[bytes] = set()
        self._watchers = self.gate.holders(Role.WATCH) if self.gate is not None else frozenset()

    def publish(self) -> None:
        """Pass on what waits in the channel. Raises `ChannelClosed`."""
        for _ in range(_MESSAGES_A_TURN):
            parts = self.channel.receive()
            if parts is None:
                return
            with suppress(zmq.Again):
                self.socket.send_multipart(parts, zmq.NOBLOCK)

    def count_subscriptions(self) -> None:
        """Take note of new and ended subscriptions, and disconnect everyone when there are too many."""
        for _ in range(_MESSAGES_A_TURN):
            try:
                message = self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if message[:1] == bytes((_SUBSCRIBED,)):
                self._topics.add(message[1:])
            else:
                self._topics.discard(message[1:])
            if len(self._topics) > MAX_SUBSCRIPTIONS:
                self.rebind()
                return

    def expel(self) -> None:
        """Disconnect everyone when one of them may no longer watch; who may reconnects by itself.

        ZeroMQ checks a key once, when a client connects, and cannot disconnect a single client.
        """
        if self.gate is None:
            return
        watchers = self.gate.holders(Role.WATCH)
        if self._watchers - watchers:
            self.rebind()
        self._watchers = watchers

    def rebind(self) -> None:
        """As `Service.rebind`; no topic is subscribed to afterwards."""
        self._topics.clear()
        super().rebind()


def serve(service: PublisherService) -> None:
    """Publish until the channel closes. Raises `ChannelClosed`."""
    while True:
        service.poller.poll(round(1e3 * BROKER_CHECK_S))
        service.publish()
        service.count_subscriptions()
        if service.due():
            service.check_memory()
            service.expel()


if __name__ == "__main__":
    run(PublisherService, serve)
