"""The three-layer perceptron that critic and actor share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

LAYERS = 3


class Perceptron(nn.Module):
    """(B, inputs) → (B, outputs) through layers of linear, LayerNorm and GELU, each `hidden` wide."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            layers += [nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.GELU()]
            inputs = hidden
        self.body = nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def begin_at(self, value: float) -> None:
        """Set the bias of the last layer, so that all outputs are near `value` before training."""
        last = self.body[-1]
        assert isinstance(last, nn.Linear), "as it was made"
        nn.init.constant_(last.bias, value)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (B, outputs) in the inputs' data type, which may differ from that of the weights."""
        return self._rest(self.body[0](inputs.to(self._dtype)), inputs)

    def given(self, known: Tensor) -> Callable[[Tensor], Tensor]:
        """Return this network as a function of the other inputs (B, inputs − K), with the last K inputs fixed to
        `known` (K,). Their contribution to the first layer is computed once."""
        first = self.body[0]
        assert isinstance(first, nn.Linear), "as it was made"
        weight = first.weight[:, : -len(known)]
        bias = first.bias + first.weight[:, -len(known) :] @ known.to(self._dtype)
        return lambda inputs: self._rest(functional.linear(inputs.to(self._dtype), weight, bias), inputs)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def _rest(self, entered: Tensor, inputs: Tensor) -> Tensor:
        """Return the outputs, given what the first linear layer computed from `inputs` (`entered`)."""
        _, *between, last = self.body
        assert isinstance(last, nn.Linear), "as it was made"
        hidden = entered
        for layer in between:
            hidden = layer(hidden)
        # The last layer stays in full precision while training in half: otherwise the number of blocks to the goal
        # would be rounded to tenths.
        with torch.autocast(inputs.device.type, enabled=False):
            return last(hidden.to(last.weight.dtype)).to(inputs.dtype)
