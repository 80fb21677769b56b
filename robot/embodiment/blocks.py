"""The duration of a block, which a convention stores in seconds and the session needs in nanoseconds."""

from __future__ import annotations

from robot.system.bounds import MAX_BLOCK_S
from robot.wire.limits import MAX_WAYPOINTS


class Blocks:
    """Mixin of a convention that has a field `block_s`."""

    __slots__ = ()
    block_s: float

    @property
    def block_ns(self) -> int:
        """Duration of a block in nanoseconds."""
        return round(self.block_s * 1e9)


def require_block(block_s: float, waypoints: int = 1) -> None:
    """Raise `ValueError` for a block of impossible length, and for more waypoints than one command may have."""
    if not 0.0 < block_s <= MAX_BLOCK_S:
        raise ValueError(f"a block of {block_s} s; it must take more than 0 and at most {MAX_BLOCK_S:g} s")
    # The block's start is one more waypoint of the same command.
    if not 1 <= waypoints < MAX_WAYPOINTS:
        raise ValueError(f"{waypoints} waypoints in a block; there must be from 1 to {MAX_WAYPOINTS - 1}")
