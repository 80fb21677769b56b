from __future__ import annotations

import pytest
import torch

from perception.model.multi_view import MultiViewEncoder


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 1, height, width, 3), dtype=torch.uint8, generator=rng)


def test_the_latent_is_the_sum_of_what_each_camera_tells() -> None:
    torch.manual_seed(0)
    fused = MultiViewEncoder(64, 32, 8, 4, views=2).eval()
    seen = pictures(3, 64, 32)
    above, below = fused.encoders
    torch.testing.assert_close(fused(seen), above(seen[:, :, :32]) + below(seen[:, :, 32:]))
    other = seen.clone()
    other[:, :, 32:] = 0
    change = fused(other) - fused(seen)
    torch.testing.assert_close(change, below(other[:, :, 32:]) - below(seen[:, :, 32:]))
    assert change.abs().max() > 1e-3


def test_the_cameras_share_no_weights_and_all_learn() -> None:
    fused = MultiViewEncoder(64, 32, 8, 0, views=2)
    fused(pictures(2, 64, 32)).square().sum().backward()
    first, second = (list(encoder.parameters()) for encoder in fused.encoders)
    assert all(one is not two for one, two in zip(first, second, strict=True))
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in (first[0], second[0]))


def test_three_cameras_cannot_share_a_height_that_does_not_divide() -> None:
    with pytest.raises(ValueError, match="3 pictures cannot share 64 pixels"):
        MultiViewEncoder(64, 32, 8, 4, 3)
