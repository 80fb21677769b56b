"""One writer at a time: the holder must renew its lease, and commands must come from the holder, in order.

A refusal raises `Refused` with a reason of `messages.REASONS`. Nothing here reads a clock: the caller passes the time
as `now_ns`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from robot.errors import Refused
from robot.wire.limits import MAX_NAME_LENGTH

TTL_RANGE_S = (0.05, 10.0)


@dataclass(frozen=True)
class Grant:
    """The present lease: its secret `token`, the name of its `holder`, and the time at which it lapses unless
    renewed."""

    token: str
    holder: str
    ttl_ns: int
    expires_ns: int


class LeaseManager:
    """Grants the one lease, renews it, and checks which commands it permits."""

    def __init__(self) -> None:
        self._grant: Grant | None = None
        self._sequence = -1
        self._ended = ""
        self._held_up_token = ""

    @property
    def holder(self) -> str:
        """The name of the lease holder, empty when the lease is free."""
        return self._grant.holder if self._grant else ""

    def acquire(self, holder: str, ttl_s: float, now_ns: int) -> Grant:
        """Grant the lease. Raises `Refused`: "malformed" name, "bad-ttl", or "held" by another."""
        if not 0 < len(holder) <= MAX_NAME_LENGTH:
            raise Refused("malformed", f"a holder's name has 1 to {MAX_NAME_LENGTH} characters, not {len(holder)}")
        lowest, highest = TTL_RANGE_S
        if not lowest <= ttl_s <= highest:
            raise Refused("bad-ttl", f"a time-to-live is {lowest} to {highest} s, not {ttl_s:g} s")
        if self._grant is not None and now_ns < self._grant.expires_ns:
            left_s = (self._grant.expires_ns - now_ns) * 1e-9
            raise Refused("held", f"{self._grant.holder} has the lease for another {left_s:.2f} s unless renewed")
        ttl_ns = round(ttl_s * 1e9)
        self._grant = Grant(secrets.token_hex(16), holder, ttl_ns, now_ns + ttl_ns)
        self._sequence = -1
        self._ended = self._held_up_token = ""
        return self._grant

    def renew(self, token: str, now_ns: int) -> Grant:
        """Extend the lease by its time-to-live from now. Raises `Refused`: "not-holder", "held-up"."""
        grant = self._held(token, now_ns)
        self._grant = Grant(grant.token, grant.holder, grant.ttl_ns, now_ns + grant.ttl_ns)
        return self._grant

    def check(self, token: str, now_ns: int) -> None:
        """Check that `token` is the holder's. Raises `Refused`: "not-holder", "held-up"."""
        self._held(token, now_ns)

    def check_command(self, token: str, sequence: int, deadline_ns: int, now_ns: int) -> None:
        """Check one command. Its sequence number is used up even when the command is refused later.

        Raises `Refused`: "not-holder", "held-up", "stale-sequence" for a number that is not larger than the last,
        "late" past the deadline.
        """
        self._held(token, now_ns)
        if sequence <= self._sequence:
            raise Refused("stale-sequence", f"command {sequence} came after {self._sequence}; each needs a larger one")
        self._sequence = sequence
        if now_ns > deadline_ns:
            raise Refused("late", f"command {sequence} came {(now_ns - deadline_ns) * 1e-6:.1f} ms past its deadline")

    def release(self, token: str, now_ns: int) -> None:
        """End the lease at its holder's request. Raises `Refused`: "not-holder", "held-up"."""
        self._held(token, now_ns)
        self._grant = None

    def revoke(self, why: str = "", held_up: bool = False) -> None:
        """End the lease, if there is one. Requests with its token are refused with `why`, and as "held-up" when the
        driver's own loop was `held_up`: its holder may then acquire the lease again."""
        if self._grant is not None:
            self._held_up_token = self._grant.token if held_up else ""
        self._grant = None
        self._ended = why

    def lapse(self, now_ns: int) -> str:
        """End a lease that has expired and return its holder's name; return an empty string when none has."""
        if self._grant is None or now_ns < self._grant.expires_ns:
            return ""
        holder = self._grant.holder
        self._grant = None
        return holder

    def _held(self, token: str, now_ns: int) -> Grant:
        grant = self._grant
        if grant is None or not _same(token, grant.token):
            if grant is None and self._held_up_token and _same(token, self._held_up_token):
                raise Refused("held-up", self._ended)
            owner = f"{grant.holder} has it" if grant else "; ".join(filter(None, ("it is free", self._ended)))
            raise Refused("not-holder", f"this token does not belong to the current lease ({owner}); acquire it first")
        if now_ns >= grant.expires_ns:
            raise Refused("not-holder", "the lease lapsed before this request came; acquire it again")
        return grant


def _same(token: str, own: str) -> bool:
    """Compare in constant time, and as bytes: compare_digest accepts only ASCII text, and a peer may send any token."""
    return secrets.compare_digest(token.encode(errors="replace"), own.encode())
