"""Actions that are a plain box of numbers, to which a Gymnasium environment gives the meaning."""

from __future__ import annotations

import msgspec

from robot.embodiment.blocks import Blocks
from robot.errors import ConfigurationError


class BoxAction(Blocks, msgspec.Struct, frozen=True, tag_field="kind", tag="box"):
    """Actions of `size` entries in [−1, 1], scaled to the environment's own box. Each is repeated for `repeat` steps of
    the environment, which take `block_s` seconds together."""

    size: int
    block_s: float
    repeat: int

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
