"""Actions that are a plain box of numbers, to which a Gymnasium environment gives the meaning."""

from __future__ import annotations

import msgspec

from robot.embodiment.blocks import Blocks, require_block
from robot.errors import ConfigurationError
from robot.system.bounds import MAX_BLOCK_STEPS, MAX_CONVENTION_SIZE


class BoxAction(Blocks, msgspec.Struct, frozen=True, tag_field="kind", tag="box"):
    """Actions of `size` entries in [−1, 1], scaled to the environment's own box. Each is repeated for `repeat` steps of
    the environment, which take `block_s` seconds together."""

    size: int
    block_s: float
    repeat: int

    def __post_init__(self) -> None:
        """Raise `ValueError` for an action or a block of impossible size."""
        if not 0 <= self.size <= MAX_CONVENTION_SIZE:
            raise ValueError(f"an action has {self.size} entries; it may have at most {MAX_CONVENTION_SIZE}")
        if not 1 <= self.repeat <= MAX_BLOCK_STEPS:
            raise ValueError(f"repeat is {self.repeat}, and must be from 1 to {MAX_BLOCK_STEPS}")
        require_block(self.block_s)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each entry of an action."""
        return tuple(f"action{index}" for index in range(self.size))

    @property
    def binary(self) -> tuple[int, ...]:
        """None: every entry may take any value."""
        return ()

    def mirror_signs(self) -> tuple[float, ...]:
        """Raise `ConfigurationError`: the directions of such actions in space are not known."""
        raise ConfigurationError(
            "the mirror image of this environment's actions is not known; train without mirror images"
        )
