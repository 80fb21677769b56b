"""Weights that come from elsewhere: they are not trained, and checkpoints do not copy them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


class Frozen(nn.Module):
    """Holds a `module` so that it computes, moves between devices and is copied as a part of the whole, but is always
    in evaluation mode and has no entry in `parameters()` or `state_dict()`. No gradient reaches its weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # In a tuple, since a module in an attribute would be registered.
        self._held = (module.eval().requires_grad_(False),)

    @property
    def module(self) -> nn.Module:
        """The module that is held."""
        return self._held[0]

    def forward(self, *inputs: Tensor) -> Any:
        """Return what the module makes of `inputs`."""
        return self.module(*inputs)

    def _apply(self, function: Callable[..., Any], recurse: bool = True) -> Frozen:
        """Move the held module too; `to`, `cuda` and the like end here."""
        self.module._apply(function, recurse)
        super()._apply(function, recurse)
        return self
