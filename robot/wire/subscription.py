"""A subscription to one topic of a publisher: it keeps the newest messages and raises an error when none come."""

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
from robot.system.patience import STEP_S, Patience
from robot.wire import sockets
from robot.wire.clock_offset import ClockOffset
from robot.wire.messages import Published, decode

M = TypeVar("M", bound=Published)

QUEUE = 500
MAX_DRAINED = 50_000

_NEGLECTED_S = 1.0


class Subscription(Generic[M]):
    """The messages of type `kind` on `topic` at `address`, the last `keep` of them in `history`, oldest first.

    A message that this wire does not accept is skipped, whatever it is; it is an error only while nothing else comes.
    One that `admits` returns False for, where that is given, counts as none at all.

    When a subscription is not read for long, the queues on both sides fill, and the connection may then stay stalled
    for a while after they are drained. A subscription that is still silent after draining is therefore reconnected.

    All times are on this host's clock. Those of another host are shifted by `clock` where one is given that learns from
    other exchanges, else by an offset estimated from the messages themselves. Not safe to share between threads. Raises
    `ConfigurationError` for an invalid address or an unknown server key, as `sockets.connect` does.
    """

    def __init__(
        self,
        address: str,
        topic: bytes,
        kind: type[M],
        keep: int = 1,
        clock: ClockOffset | None = None,
        admits: Callable[[M], bool] | None = None,
    ) -> None:
        self._admits = admits
        self._listens = clock is None
        self.clock = sockets.clock_at(address) if clock is None else clock
        self.address = address
        self.history: deque[M] = deque(maxlen=keep)
        self._kind = kind
        self._topic = topic
        self._looked = time.monotonic()
        self._neglected = False
        self._rejected: WireError | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._connect()

    def drain(self) -> int:
        """Receive all waiting messages, without blocking, and return the number of those that were accepted."""
        looked, self._looked = self._looked, time.monotonic()
        self._neglected = self._neglected or self._looked - looked > _NEGLECTED_S
        # Collected undecoded first: after a long pause only the messages that are kept need decoding.
        waiting: deque[tuple[bytes, int]] = deque(maxlen=self.history.maxlen)
        # `Again` reports an empty queue, which is the wanted state.
        with suppress(zmq.Again):
            for _ in range(MAX_DRAINED):
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                if len(frames) == 2 and frames[0] == self._topic:
                    waiting.append((frames[1], time.monotonic_ns()))
        return sum(self._accept(payload, received_ns) for payload, received_ns in waiting)

    def _accept(self, payload: bytes, received_ns: int) -> bool:
        """Add a message to the history; return whether it is one that this wire accepts."""
        try:
            envelope = decode(payload)
            body = envelope.body
            if not isinstance(body, self._kind):
                raise WireError(f"it is {type(body).__name__}")
        except WireError as error:
            self._rejected = error
            return False
        if self._admits is not None and not self._admits(body):
            return False
        if self._listens:
            self.clock.heard(envelope.sent_ns, received_ns)
        self.history.append(body.shifted(-self.clock.ns) if self.clock.ns else body)
        return True

    def _nothing_came(self, lost: str) -> Exception:
        """Return the error to raise when nothing acceptable came: `ConnectionLost` that says `lost`, or what was wrong
        with what came instead."""
        rejected, self._rejected = self._rejected, None
        if rejected is None:
            return ConnectionLost(lost)
        return WireError(f"{self.address} sends on {self._topic.decode()} what this process cannot take: {rejected}")

    def wait(self, timeout_s: float) -> None:
        """Wait for a message and receive it. Raises after `timeout_s`: `ConnectionLost`, or `WireError` when only
        messages came that this wire does not accept."""
        patience = Patience(timeout_s)
        while not self.drain():
            step_s = patience.step_s
            if not step_s:
                raise self._nothing_came(
                    f"nothing on the topic {self._topic.decode()} from {self.address} within {timeout_s:g} s; "
                    "is the process that publishes it running?"
                )
            self._poll(step_s)

    def wait_for(self, wanted: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Receive messages until `wanted()`, which inspects `history`, is true. Raises `WireError`, and
        `ConnectionLost`, which names `what`, after `timeout_s`."""
        patience = Patience(timeout_s)
        self.drain()
        came = 0
        while not wanted():
            step_s = patience.step_s
            if not step_s:
                others = f"; {came} others came, so it runs, but late" if came else "; is it running?"
                raise self._nothing_came(
                    f"the process that publishes {self._topic.decode()} at {self.address} sent no {what} "
                    f"within {timeout_s:g} s{others}"
                )
            self._poll(step_s)
            came += self.drain()
        self._neglected = False

    def near(self, time_ns: int, timeout_s: float, what: str, tolerance_s: float = 0.05) -> M:
        """Return the message in the history that is nearest to the monotonic `time_ns`; wait for one not earlier than
        that. Raises `WireError`, and `ConnectionLost`, which names `what`, after `timeout_s` or when the nearest is
        more than `tolerance_s` away.
        """
        history = self.history
        self.wait_for(
            lambda: bool(history) and history[-1].time_ns >= time_ns, timeout_s, f"{what} as late as the requested time"
        )
        times = [message.time_ns for message in history]
        after = bisect_left(times, time_ns)
        nearest = min(range(max(after - 1, 0), after + 1), key=lambda index: abs(times[index] - time_ns))
        away_s = abs(times[nearest] - time_ns) * 1e-9
        if away_s > tolerance_s:
            raise ConnectionLost(f"no {what} within {tolerance_s:g} s of the requested time ({away_s:.2f} s)")
        return history[nearest]

    def close(self) -> None:
        """Close the subscription."""
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

    def _poll(self, step_s: float) -> None:
        """Wait at most `step_s` for a message. A neglected connection that is silent for a whole step is made anew."""
        if not self._socket.poll(max(1, round(step_s * 1000))) and self._neglected and step_s >= STEP_S:
            self._neglected = False
            self._socket.close()
            self._connect()

    def __enter__(self) -> Subscription[M]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
