"""Estimates how far another host's monotonic clock is ahead of this host's, from the messages that they exchange
anyway.

An exchange gives only the round-trip delay, so the offset is known to half of that (Mills, RFC 5905, section 8); the
fastest recent exchange gives the best estimate. A one-way message never arrives early, so the least delayed one gives
the best estimate.
"""

from __future__ import annotations

from collections import deque

WINDOW_NS = 30_000_000_000
"""How long an exchange is used: in this time two clocks drift apart by about a millisecond."""


class ClockOffset:
    """The estimate `ns`, to be added to this host's times, and its error bound `uncertainty_ns`. For one-way messages
    alone, the unknown least delay of the network comes on top of the bound. `ns` is 0 before the first message."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, int]] = deque()
        self.ns = 0
        self.uncertainty_ns: int | None = None

    def exchange(self, sent_ns: int, remote_ns: int, received_ns: int) -> None:
        """Use an exchange: a request sent at this host's `sent_ns`, and its answer, sent at the other host's
        `remote_ns` and received at this host's `received_ns`."""
        round_trip_ns = max(0, received_ns - sent_ns)
        self._see(received_ns, round_trip_ns, remote_ns - (sent_ns + received_ns) // 2)
        _, best, self.ns = min(self._seen, key=lambda each: each[1])
        self.uncertainty_ns = best // 2

    def heard(self, remote_ns: int, received_ns: int) -> None:
        """Use a one-way message that the other host sent at its `remote_ns` and this host received at its
        `received_ns`."""
        self._see(received_ns, 0, remote_ns - received_ns)
        self.ns = max(offset for _, _, offset in self._seen)

    def _see(self, now_ns: int, cost: int, offset: int) -> None:
        self._seen.append((now_ns, cost, offset))
        while len(self._seen) > 1 and self._seen[0][0] < now_ns - WINDOW_NS:
            self._seen.popleft()
        # An older sample with the same or a larger cost adds nothing to the newer one; dropping it bounds the list.
        if len(self._seen) > 256:
            kept = sorted(self._seen, key=lambda each: (each[1], -each[2]))[:128]
            self._seen = deque(sorted(kept))


class SameClock(ClockOffset):
    """For processes of one host, which share their clock."""

    def exchange(self, sent_ns: int, remote_ns: int, received_ns: int) -> None:
        """Nothing is to be learnt."""
        self.uncertainty_ns = 0

    def heard(self, remote_ns: int, received_ns: int) -> None:
        """Nothing is to be learnt."""
