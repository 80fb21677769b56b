"""The three-layer perceptron that critic and actor share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 256
LAYERS = 3


class Perceptron(nn.Module):
    """(B, inputs) → (B, outputs) through layers of linear, LayerNorm and GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(LAYERS):
            layers += [nn.Linear(inputs, HIDDEN), nn.LayerNorm(HIDDEN), nn.GELU()]
            inputs = HIDDEN
        self.body = nn.Sequential(*layers, nn.Linear(HIDDEN, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs (B, outputs), in the type of the inputs whatever the weights' own."""
        last = self.body[-1]
        assert isinstance(last, nn.Linear), "as it was made"
        hidden = self.body[:-1](inputs.to(last.weight.dtype))
        # While training in half precision the last layer is not: blocks to go would be told in steps of a tenth.
        with torch.autocast(inputs.device.type, enabled=False):
            return last(hidden.to(last.weight.dtype)).to(inputs.dtype)
