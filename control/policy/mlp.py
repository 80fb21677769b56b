"""The three-layer perceptron that critic and actor share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN = 256
LAYERS = 3


class Perceptron(nn.Module):
    """(B, inputs) → (B, outputs) through layers of linear, LayerNorm and GELU, each `hidden` wide."""

    def __init__(self, inputs: int, outputs: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            layers += [nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.GELU()]
            inputs = hidden
        self.body = nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def begin_at(self, value: float) -> None:
        """Give all outputs about this `value`, before training."""
        last = self.body[-1]
        assert isinstance(last, nn.Linear), "as it was made"
        nn.init.constant_(last.bias, value)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (B, outputs), in the type of the inputs whatever the weights' own."""
        return self._leave(self.body[0](inputs.to(self._dtype)), inputs)

    def given(self, known: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the same function of the other inputs (B, inputs − K) where the last ones are `known` (K,): what they
        add to the first layer is worked out once."""
        first = self.body[0]
        assert isinstance(first, nn.Linear), "as it was made"
        weight = first.weight[:, : -len(known)]
        bias = first.bias + first.weight[:, -len(known) :] @ known.to(self._dtype)
        return lambda inputs: self._leave(functional.linear(inputs.to(self._dtype), weight, bias), inputs)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _leave(self, entered: Tensor, inputs: Tensor) -> Tensor:
        """Return the outputs for what the first linear layer made of `inputs`."""
        _, *between, last = self.body
        assert isinstance(last, nn.Linear), "as it was made"
        hidden = entered
        for layer in between:
            hidden = layer(hidden)
        # While training in half precision the last layer is not: blocks to go would be told in steps of a tenth.
        with torch.autocast(inputs.device.type, enabled=False):
            return last(hidden.to(last.weight.dtype)).to(inputs.dtype)
