from __future__ import annotations

import torch

from control.goals.stacking import stacked
from perception.model.entities.layout import TokenLayout

THINGS = {"red": torch.tensor([1.0, 0.0, 0.0]), "blue": torch.tensor([0.0, 1.0, 1.0])}


def latent(red: list[list[float]], blue: list[list[float]]) -> torch.Tensor:
    """Three tokens with a place in each of two views; the second and third hold one thing together."""
    places = torch.tensor([red, blue, blue])
    return torch.cat([places, torch.zeros(3, 2, 1)], dim=-1).flatten()


def test_a_thing_is_on_another_when_it_is_seen_above_it_in_both_views() -> None:
    layout = TokenLayout(3, 2)
    on = latent([[0.1, -0.3], [0.9, -0.2]], [[0.0, 0.1], [1.0, 0.2]])
    behind = latent([[0.1, -0.3], [0.2, 0.2]], [[0.0, 0.1], [1.0, 0.2]])
    beside = latent([[0.1, 0.1], [0.9, 0.2]], [[0.0, 0.1], [1.0, 0.2]])
    assert stacked(on, layout, THINGS) == {("red", "blue")}
    assert stacked(behind, layout, THINGS) == stacked(beside, layout, THINGS) == frozenset()


def test_one_camera_cannot_tell_on_from_behind() -> None:
    one = torch.tensor([[0.0, -0.3, 0.0], [0.0, 0.1, 0.0], [0.0, 0.1, 0.0]]).flatten()
    assert not stacked(one, TokenLayout(3, 1), THINGS)
