from __future__ import annotations

import pytest
import torch

from perception.model.convolutional import ConvolutionalEncoder


def pictures(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, height, width, 3), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize("keypoints", [0, 8])
@pytest.mark.parametrize(("height", "width", "latent"), [(16, 16, 4), (32, 64, 24), (64, 64, 192)])
def test_pictures_become_latents(height: int, width: int, latent: int, keypoints: int) -> None:
    latents = ConvolutionalEncoder(height, width, latent, keypoints)(pictures(3, height, width))
    assert latents.shape == (3, latent)
    assert latents.dtype == torch.float32
    assert torch.isfinite(latents).all()


@pytest.mark.parametrize(("height", "width"), [(63, 64), (64, 72), (8, 16)])
def test_sides_that_do_not_halve_four_times_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"multiples of 16, not {height}×{width}"):
        ConvolutionalEncoder(height, width, 8)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(RuntimeError):
        ConvolutionalEncoder(32, 32, 8)(pictures(1, 48, 32))


def test_a_latent_depends_on_its_own_picture_alone() -> None:
    encoder = ConvolutionalEncoder(32, 32, 8, 4).eval()
    many = pictures(5, 32, 32)
    with torch.inference_mode():
        together = encoder(many)
        alone = torch.cat([encoder(many[index : index + 1]) for index in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_half_precision_inside_still_gives_whole_latents() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ConvolutionalEncoder(32, 32, 8, 4)(pictures(1, 32, 32)).dtype == torch.float32
