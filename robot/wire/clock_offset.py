"""How far another host's monotonic clock is ahead of this one's: estimated from what passes between them anyway.

Of an exchange only the delay there and back is known, so the offset is known to half of it (Mills, RFC 5905, section
8); the quickest exchange of late tells most. What only comes one way is never early: the least delayed tells most.
"""

from __future__ import annotations

from collections import deque

WINDOW_NS = 30_000_000_000
"""How long an exchange counts: in so long two clocks drift apart by about a millisecond."""


class ClockOffset:
    """The estimate `ns`, to be added to this host's times, and how far off it may be, `uncertainty_ns` (for what comes
    one way alone, beyond the least delay on the way, which is not known). 0 before anything was seen."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, int]] = deque()
        self.ns = 0
        self.uncertainty_ns: int | None = None

    def exchange(self, sent_ns: int, remote_ns: int, received_ns: int) -> None:
        """Take in an answer that the other host sent at its `remote_ns`, to what was sent at this one's `sent_ns`, and
        that was received at this one's `received_ns`."""
        round_trip_ns = max(0, received_ns - sent_ns)
        self._see(received_ns, round_trip_ns, remote_ns - (sent_ns + received_ns) // 2)
        _, best, self.ns = min(self._seen, key=lambda each: each[1])
        self.uncertainty_ns = best // 2

    def heard(self, remote_ns: int, received_ns: int) -> None:
        """Take in a message that the other host sent at its `remote_ns`, received at this one's `received_ns`."""
        self._see(received_ns, 0, remote_ns - received_ns)
        self.ns = max(offset for _, _, offset in self._seen)

    def _see(self, now_ns: int, cost: int, offset: int) -> None:
        self._seen.append((now_ns, cost, offset))
        while len(self._seen) > 1 and self._seen[0][0] < now_ns - WINDOW_NS:
            self._seen.popleft()
        # As dear and older tells nothing that the newer one does not; this keeps a fast stream short.
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
