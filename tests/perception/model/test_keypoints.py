from __future__ import annotations

import pytest
import torch

from perception.model.keypoints import SPAN, Keypoints


def spot(row: int, column: int, height: int = 16, width: int = 16) -> torch.Tensor:
    """Features (1, 2, H, W), strong at one position in the first channel."""
    features = torch.zeros(1, 2, height, width)
    features[0, 0, row, column] = 1.0
    return features


def watching(strength: float) -> Keypoints:
    """One keypoint that follows the first channel."""
    keypoints = Keypoints(2, 1, 4)
    with torch.no_grad():
        keypoints.heat.weight.zero_()
        keypoints.heat.bias.zero_()
        keypoints.heat.weight[0, 0] = strength
    return keypoints


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 12), (15, 7)])
def test_a_keypoint_is_where_its_feature_is(row: int, column: int) -> None:
    across, down, strength = watching(20.0).places(spot(row, column))[0, :, 0].tolist()
    assert across == pytest.approx(-SPAN + 2 * SPAN * column / 15, abs=0.01)
    assert down == pytest.approx(-SPAN + 2 * SPAN * row / 15, abs=0.01)
    assert strength > 0.9


def test_a_keypoint_without_a_feature_is_in_the_middle_and_weak() -> None:
    places = watching(20.0).places(torch.zeros(1, 2, 16, 16))
    torch.testing.assert_close(places, torch.zeros(1, 3, 1))


def test_pictures_need_not_be_square() -> None:
    places = watching(20.0).places(spot(0, 31, 16, 32))[0, :, 0]
    torch.testing.assert_close(places[:2], torch.tensor([SPAN, -SPAN]), atol=0.01, rtol=0.0)


def test_places_teach_what_to_follow() -> None:
    torch.manual_seed(0)
    keypoints = Keypoints(2, 4, 2)
    pictures = torch.cat([spot(row, column) for row in range(0, 16, 3) for column in range(0, 16, 3)])
    wanted = torch.tensor([[row / 15, column / 15] for row in range(0, 16, 3) for column in range(0, 16, 3)])
    optimiser = torch.optim.Adam(keypoints.parameters(), lr=0.03)
    for _ in range(200):
        optimiser.zero_grad()
        loss = ((keypoints(keypoints.places(pictures)) - wanted) ** 2).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.002


def test_half_precision_does_not_blur_places() -> None:
    keypoints = watching(20.0)
    exact = keypoints.places(spot(5, 9))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(keypoints.places(spot(5, 9)), exact, atol=0.01, rtol=0.0)
