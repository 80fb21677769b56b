from __future__ import annotations

import pytest
import torch
from torch import Tensor

from perception.model.losses.sigreg import sigreg


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


DIRECTIONS = normal(8, 64, seed=9)


def test_a_standard_gaussian_costs_next_to_nothing() -> None:
    assert sigreg(normal(20_000, 8), DIRECTIONS) < 2e-4


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        (torch.zeros(2000, 8), 0.1),  # collapsed to a point
        (3 * normal(2000, 8), 0.05),
        (normal(2000, 8) / 3, 0.05),
        (normal(2000, 8) + 1.0, 0.05),
        (normal(2000, 8) * torch.tensor([1.0] * 4 + [0.0] * 4), 0.005),  # half of the dimensions are dead
    ],
)
def test_anything_else_costs(wrong: Tensor, least: float) -> None:
    assert sigreg(wrong, DIRECTIONS) > least
    assert sigreg(wrong, DIRECTIONS) > 10 * sigreg(normal(2000, 8), DIRECTIONS)


def test_the_cost_does_not_depend_on_the_size_of_the_batch() -> None:
    rng = torch.Generator().manual_seed(1)
    wrong = 4 * torch.rand((16_384, 8), generator=rng)
    whole = sigreg(wrong, DIRECTIONS)
    for size in (64, 512, 4096):
        parts = torch.stack([sigreg(part, DIRECTIONS) for part in wrong.split(size)])
        torch.testing.assert_close(parts.mean(), whole, rtol=0.05, atol=0.0)


def test_the_length_of_a_direction_does_not_matter() -> None:
    latents = normal(100, 8)
    torch.testing.assert_close(sigreg(latents, DIRECTIONS), sigreg(latents, 7.0 * DIRECTIONS))


def test_its_gradient_spreads_what_has_collapsed() -> None:
    latents = (0.05 * normal(256, 8)).requires_grad_()
    optimiser = torch.optim.Adam([latents], lr=0.05)
    for step in range(200):
        optimiser.zero_grad()
        sigreg(latents, normal(8, 64, seed=step)).backward()
        optimiser.step()
    spread = torch.linalg.svdvals(latents - latents.mean(0)) / 256**0.5
    assert spread.min() > 0.6 and spread.max() < 1.5
