from __future__ import annotations

import pytest
import torch

from perception.model.decoder import Decoder, DecoderLoss


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 48)])
def test_it_draws_pictures(height: int, width: int) -> None:
    latents = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    decoder = Decoder(height, width, 8)
    pictures, drawn = decoder(latents), decoder.draw(latents)
    assert pictures.shape == drawn.shape == (3, height, width, 3)
    assert pictures.min() >= 0 and pictures.max() <= 1
    assert drawn.dtype == torch.uint8
    torch.testing.assert_close(drawn.float() / 255, pictures, atol=0.5 / 255 + 1e-6, rtol=0)


def test_an_error_on_what_moves_costs_more_than_one_on_the_table() -> None:
    loss = DecoderLoss(Decoder(16, 16, 4), torch.full((16, 16, 3), 0.5))
    still = torch.full((1, 16, 16, 3), 128, dtype=torch.uint8)
    moved = still.clone()
    moved[:, 4:12, 4:12] = 255
    latents = torch.zeros(1, 4)
    with torch.no_grad():
        plain = (loss.decoder(latents) - moved.float() / 255).abs().mean()
        weighted = loss({"latents": latents, "images": moved})["loss"]
        unweighted = loss({"latents": latents, "images": still})["loss"]
        exact = (loss.decoder(latents) - still.float() / 255).abs().mean()
    assert weighted > 1.5 * plain
    torch.testing.assert_close(unweighted, exact, rtol=0.05, atol=1e-3)


def test_it_learns_to_tell_two_pictures_apart() -> None:
    torch.manual_seed(0)
    images = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    images[0, :8, :, 0] = 250
    images[1, 8:, :, 1] = 250
    latents = torch.eye(2, 4)
    loss = DecoderLoss(Decoder(16, 16, 4), images.float().mean(0) / 255)
    optimiser = torch.optim.AdamW(loss.parameters(), lr=5e-3)
    for _ in range(80):
        optimiser.zero_grad()
        loss({"latents": latents, "images": images})["loss"].backward()
        optimiser.step()
    error = (loss.decoder.draw(latents).int() - images.int()).abs().float().mean()
    assert error < 12
