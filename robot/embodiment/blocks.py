"""The duration of a block, which a convention stores in seconds and the session needs in nanoseconds."""

from __future__ import annotations


class Blocks:
    """Mixin of a convention that has a field `block_s`."""

    __slots__ = ()
    block_s: float

    @property
    def block_ns(self) -> int:
        """Duration of a block in nanoseconds."""
        return round(self.block_s * 1e9)
