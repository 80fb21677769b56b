"""Actions in a plain box of numbers: those of a Gymnasium environment, which gives them their meaning."""

from __future__ import annotations

import msgspec

from robot.embodiment.blocks import Blocks
from robot.errors import ConfigurationError


class BoxAction(Blocks, msgspec.Struct, frozen=True, tag_field="kind", tag="box"):
    """Actions of `size` entries in [−1, 1], which the environment stretches to its own box. Each is repeated for
    `repeat` steps of the environment, which take `block_s` seconds."""

    size: int
    block_s: float
    repeat: int

    @property
    def names(self) -> tuple[str, ...]:
        """The entries by their numbers."""
        return tuple(f"action{index}" for index in range(self.size))

    @property
    def binary(self) -> tuple[int, ...]:
        """None: every entry may take any value."""
        return ()

    def mirror_signs(self) -> tuple[float, ...]:
        """Raise `ConfigurationError`: nothing is known of the space in which such actions move things."""
        raise ConfigurationError(
            "the actions of this environment are plain numbers, and what mirrors them is not known; train without "
            "mirror images"
        )
