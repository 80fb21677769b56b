from __future__ import annotations

import pytest
import torch

from perception.model.keypoints import SPAN
from perception.model.losses.keypoint_renderer import Blobs


def one_red(size: int = 17) -> Blobs:
    blobs = Blobs(1, 1, size, size)
    with torch.no_grad():
        blobs.colour.copy_(torch.tensor([[[1.0, 0.0, 0.0]]]))
    return blobs


@pytest.mark.parametrize(("row", "column"), [(0, 0), (8, 12), (16, 3)])
def test_a_blob_is_where_its_keypoint_is(row: int, column: int) -> None:
    places = torch.tensor([column, row]) / 16 * 2 * SPAN - SPAN
    painted = one_red()(torch.tensor([*places.tolist(), 1.0]).reshape(1, 1, 3, 1))
    assert painted.shape == (1, 3, 17, 17)
    assert painted[0, 0].argmax() == row * 17 + column
    assert painted[0, 0, row, column].item() == pytest.approx(1.0)
    assert painted[0, 1:].abs().max() == 0


def test_a_weak_keypoint_paints_nothing() -> None:
    assert one_red()(torch.zeros(2, 1, 3, 1)).abs().max() == 0


def test_each_view_is_painted_in_its_own_part_of_the_picture() -> None:
    blobs = Blobs(2, 3, 8, 16)
    places = torch.zeros(4, 2, 3, 3)
    places[:, 1, 2] = 1.0
    painted = blobs(places)
    assert painted.shape == (4, 3, 16, 16)
    assert painted[:, :, :8].abs().max() == 0
    assert painted[:, :, 8:].abs().max() > 0.1


def test_painting_a_thing_leads_its_keypoint_there() -> None:
    blobs = one_red()
    place = torch.tensor([0.0, 0.0, 0.5]).reshape(1, 1, 3, 1).requires_grad_()
    wanted = one_red()(torch.tensor([0.53, -0.31, 1.0]).reshape(1, 1, 3, 1)).detach()
    optimiser = torch.optim.Adam([place], lr=0.03)
    for _ in range(300):
        optimiser.zero_grad()
        ((blobs(place) - wanted) ** 2).mean().backward()
        optimiser.step()
    torch.testing.assert_close(place.detach().flatten(), torch.tensor([0.53, -0.31, 1.0]), atol=0.01, rtol=0.0)


def test_without_keypoints_nothing_is_painted() -> None:
    assert Blobs(1, 0, 8, 8)(torch.zeros(2, 1, 3, 0)).abs().max() == 0
