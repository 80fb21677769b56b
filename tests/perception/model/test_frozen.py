from __future__ import annotations

import copy

import torch
from torch import nn

from perception.model.frozen import Frozen


def whole() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Frozen(nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))), nn.Linear(3, 2))


def test_what_is_frozen_is_neither_trained_nor_saved() -> None:
    model = whole()
    assert set(model.state_dict()) == {"1.weight", "1.bias"}
    assert len(list(model.parameters())) == 2
    before = model[0].module[0].weight.clone()
    model(torch.ones(5, 4)).sum().backward()
    assert model[0].module[0].weight.grad is None and torch.equal(model[0].module[0].weight, before)


def test_it_computes_as_in_evaluation_even_while_the_rest_is_trained() -> None:
    model = whole().train()
    assert torch.equal(model[0](torch.ones(5, 4)), model[0](torch.ones(5, 4)))


def test_it_is_moved_and_copied_with_the_rest() -> None:
    model = whole()
    other = copy.deepcopy(model).double()
    assert other[0].module[0].weight.dtype == torch.float64 and model[0].module[0].weight.dtype == torch.float32
    torch.testing.assert_close(other(torch.ones(2, 4).double()).float(), model(torch.ones(2, 4)))
