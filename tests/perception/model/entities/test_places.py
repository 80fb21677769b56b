from __future__ import annotations

import pytest
import torch

from perception.model.entities.places import place_distance

LARGE, SMALL = 1.0, -1.9


def token(*views: tuple[float, float, float]) -> torch.Tensor:
    """A picture's only token, with a feature before its places across, down and size in each view."""
    return torch.tensor([[7.0, *(number for view in views for number in view)]])


def test_the_distance_is_that_in_the_pictures() -> None:
    apart = place_distance(token((0.0, 0.0, LARGE)), token((0.3, 0.4, LARGE)), 1)
    assert apart.tolist() == [pytest.approx(0.5)]


def test_a_view_in_which_a_thing_is_hidden_hardly_counts() -> None:
    seen = token((0.5, 0.5, LARGE), (1.0, -1.0, LARGE))
    hidden = token((0.5, 0.5, LARGE), (-1.5, 1.5, SMALL))
    assert float(place_distance(seen, hidden, 2)) < 1e-3
    moved = token((0.9, 0.5, LARGE), (-1.5, 1.5, SMALL))
    assert float(place_distance(seen, moved, 2)) == pytest.approx(0.4, abs=1e-3)
