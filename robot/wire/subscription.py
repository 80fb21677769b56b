"""Following one topic of a publisher: the newest first, old ones dropped, and an error when nothing comes."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

import zmq

from robot.errors import ConnectionLost, WireError
from robot.wire import sockets
from robot.wire.clock_offset import ClockOffset
from robot.wire.messages import Published, decode

M = TypeVar("M", bound=Published)

QUEUE = 500
MAX_DRAINED = 50_000

_NEGLECTED_S = 1.0
_STALLED_S = 0.05


class Subscription(Generic[M]):
    """The messages of type `kind` on `topic` at `address`, the last `keep` of them in `history`, oldest first.

    One that nobody looks at for long fills up, down to the sender's end, and its connection may then stay closed for a
    while after it has been emptied: so one that is still silent then is connected anew.

    Times are told on this host's clock: those of another host are shifted by what `clock` says, where one is given that
    learns otherwise, and else by what the messages themselves tell of it. Not safe to share between threads. Raises
    `ConfigurationError` as `sockets.connect`.
    """

    def __init__(
        self, address: str, topic: bytes, kind: type[M], keep: int = 1, clock: ClockOffset | None = None
    ) -> None:
        self._listens = clock is None
        self.clock = sockets.clock_at(address) if clock is None else clock
        self.address = address
        self.history: deque[M] = deque(maxlen=keep)
        self._kind = kind
        self._topic = topic
        self._looked = time.monotonic()
        self._neglected = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._connect()

    def drain(self) -> int:
        """Take in everything that has come, without waiting, and return how many messages that was.

        Raises `WireError` when the publisher does not speak this wire.
        """
        looked, self._looked = self._looked, time.monotonic()
        self._neglected = self._neglected or self._looked - looked > _NEGLECTED_S
        # Collected raw first: after a long pause only the messages that will be kept are worth decoding.
        waiting: deque[tuple[bytes, int]] = deque(maxlen=self.history.maxlen)
        count = 0
        # An empty queue, which `Again` tells of, is what was wanted.
        with suppress(zmq.Again):
            for _ in range(MAX_DRAINED):
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                if len(frames) == 2 and frames[0] == self._topic:
                    waiting.append((frames[1], time.monotonic_ns()))
                    count += 1
        for payload, received_ns in waiting:
            envelope = decode(payload)
            body = envelope.body
            if not isinstance(body, self._kind):
                raise WireError(f"{self.address} sent {type(body).__name__} on {self._topic.decode()}")
            if self._listens:
                self.clock.heard(envelope.sent_ns, received_ns)
            self.history.append(body.shifted(-self.clock.ns) if self.clock.ns else body)
        return count

    def wait(self, timeout_s: float) -> None:
        """Wait until something has come, and take it in. Raises `ConnectionLost` after `timeout_s`, `WireError`."""
        deadline = time.monotonic() + timeout_s
        while not self.drain():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self._poll(left_s):
                if self.drain():
                    return
                raise ConnectionLost(
                    f"nothing on the topic {self._topic.decode()} from {self.address} within {timeout_s:g} s; "
                    "is the process that publishes it running?"
                )

    def wait_for(self, wanted: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Take messages in until `wanted()`, which looks at `history`. Raises `WireError`, and `ConnectionLost` that
        names `what` when `timeout_s` have passed."""
        deadline = time.monotonic() + timeout_s
        self.drain()
        came = 0
        while not wanted():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                others = f"; {came} others came, so it runs, but late" if came else "; is it running?"
                raise ConnectionLost(
                    f"the process that publishes {self._topic.decode()} at {self.address} sent no {what} "
                    f"within {timeout_s:g} s{others}"
                )
            self._poll(left_s)
            came += self.drain()
        self._neglected = False

    def near(self, time_ns: int, timeout_s: float, what: str, tolerance_s: float = 0.05) -> M:
        """Return the message of the time nearest to the monotonic `time_ns` in the history, waiting for one later than
        that. Raises `WireError`, and `ConnectionLost` that names `what` when `timeout_s` have passed, or when the
        nearest is more than `tolerance_s` away.
        """
        history = self.history
        self.wait_for(
            lambda: bool(history) and history[-1].time_ns >= time_ns, timeout_s, f"{what} as late as the time asked for"
        )
        times = [message.time_ns for message in history]
        after = bisect_left(times, time_ns)
        nearest = min(range(max(after - 1, 0), after + 1), key=lambda index: abs(times[index] - time_ns))
        away_s = abs(times[nearest] - time_ns) * 1e-9
        if away_s > tolerance_s:
            raise ConnectionLost(f"no {what} within {tolerance_s:g} s of the time asked for ({away_s:.2f} s)")
        return history[nearest]

    def close(self) -> None:
        """Stop following."""
        self._socket.close()
        self._context.term()

    def _connect(self) -> None:
        self._socket = sockets.make(self._context, zmq.SUB, QUEUE)
        try:
            self._socket.setsockopt(zmq.SUBSCRIBE, self._topic)
            sockets.connect(self._socket, self.address)
        except BaseException:
            self.close()
            raise

    def _poll(self, timeout_s: float) -> bool:
        """Wait until something has come, at most `timeout_s`; return whether something has."""
        if self._neglected and timeout_s > _STALLED_S:
            if self._socket.poll(round(_STALLED_S * 1000)):
                return True
            self._neglected = False
            self._socket.close()
            self._connect()
            timeout_s -= _STALLED_S
        return bool(self._socket.poll(max(1, round(timeout_s * 1000))))

    def __enter__(self) -> Subscription[M]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
