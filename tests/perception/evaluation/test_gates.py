from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from perception.evaluation.gates import (
    ROLLOUT,
    Clips,
    action_rank,
    effective_rank,
    probe_error,
    rollout_ratio,
    world_model_gates,
)
from perception.model.world_model import WorldModel
from tests.tiny import CONFIG, ENTITIES_OF_THREE, frames, parts


def orthonormal(count: int, size: int) -> Tensor:
    """Centred columns that are orthogonal and of length one."""
    values = torch.randn((count, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(values - values.mean(0))[0]


@pytest.mark.parametrize(
    ("variances", "rank"),
    [([1, 1, 1, 1, 1, 1], 6), ([1, 1, 1, 0, 0, 0], 3), ([5, 0, 0, 0, 0, 0], 1), ([0.5, 0.25, 0.25, 0, 0, 0], 2**1.5)],
)
def test_effective_rank_of_known_spectra(variances: list[float], rank: float) -> None:
    latents = orthonormal(500, 6) * torch.tensor(variances, dtype=torch.float64).sqrt()
    assert effective_rank(latents + 3.0) == pytest.approx(rank, rel=1e-6)


def test_a_collapsed_latent_has_no_rank() -> None:
    assert effective_rank(torch.full((100, 6), 0.25)) == 0.0


def test_a_probe_reads_what_is_linear_and_not_what_is_absent() -> None:
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn((2000, 8), generator=rng)
    linear = latents @ torch.randn((8, 3), generator=rng) + 5.0
    noise = torch.randn((2000, 3), generator=rng)
    fit, judge = slice(0, 1500), slice(1500, None)
    assert probe_error(latents[fit], linear[fit], latents[judge], linear[judge]) < 0.01
    # The median length of a normal vector in three dimensions is 1.54.
    assert probe_error(latents[fit], noise[fit], latents[judge], noise[judge]) == pytest.approx(1.54, abs=0.15)


class Adding(nn.Module):
    """A predictor that knows the truth: the action is added to the latent's first entries, times `heed`."""

    def __init__(self, heed: float) -> None:
        super().__init__()
        self.heed = heed

    def forward(
        self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        change = torch.zeros_like(latent)
        change[..., : action.shape[-1]] = self.heed * action
        return latent + change, proprio


def world(heed: float) -> tuple[WorldModel, Clips]:
    """A model with that predictor, and clips of the true world."""
    model = WorldModel(CONFIG)
    model.predictor = Adding(heed)  # type: ignore[assignment]
    rng = torch.Generator().manual_seed(0)
    actions = 2 * torch.rand((200, ROLLOUT, CONFIG.action), generator=rng) - 1
    latents = torch.zeros(200, ROLLOUT + 1, CONFIG.latent)
    latents[:, 1:, : CONFIG.action] = actions.cumsum(1)
    latents += 0.01 * torch.randn(latents.shape, generator=rng)
    return model, Clips(latents, torch.zeros(200, ROLLOUT + 1, 7), actions, latents[:, 0])


def test_a_model_that_heeds_actions_passes_and_one_that_does_not_is_at_chance() -> None:
    rng = np.random.default_rng(0)
    heeding, ignoring = world(1.0), world(0.0)
    assert rollout_ratio(*heeding, rng) > 100
    assert action_rank(*heeding, rng) < 0.01
    assert rollout_ratio(*ignoring, rng) == pytest.approx(1.0)
    assert action_rank(*ignoring, rng) == pytest.approx(0.5)
    assert action_rank(*world(-1.0), rng) > 0.6  # worse than chance


def test_a_collapsed_model_passes_neither() -> None:
    model, clips = world(0.0)
    collapsed = clips._replace(latents=torch.zeros_like(clips.latents), before=torch.zeros_like(clips.before))
    rng = np.random.default_rng(0)
    assert rollout_ratio(model, collapsed, rng) == 0.0
    assert action_rank(model, collapsed, rng) == 0.5


def test_an_object_that_is_never_seen_is_not_judged() -> None:
    cache = frames([30] * 6)
    model = parts().model
    latents = torch.randn((cache.frames, CONFIG.latent), generator=torch.Generator().manual_seed(0))
    fit, judge = np.arange(90), np.arange(90, 180)
    assert cache.truth is not None
    for seen_while, told in (((90, 180), False), ((0, 90), False), ((0, 180), True)):
        absent = np.full_like(cache.truth, np.nan)
        absent[slice(*seen_while)] = cache.truth[slice(*seen_while)]
        partly = dataclasses.replace(cache, truth=absent)
        found = world_model_gates(model, partly, latents, fit, judge, np.arange(90, 110), 0, (0, 1, 2))
        assert ("object probe" in {gate.name for gate in found}) == told
        assert all(np.isfinite(gate.value) for gate in found)


def test_entity_tokens_are_ranked_as_samples_of_their_own() -> None:
    cache = frames([30] * 6)
    model = parts(config=ENTITIES_OF_THREE).model
    latents = torch.randn((cache.frames, ENTITIES_OF_THREE.latent), generator=torch.Generator().manual_seed(0))
    judge = np.arange(90, 180)
    found = world_model_gates(model, cache, latents, np.arange(90), judge, np.arange(90, 110), 0, (0, 1, 2))
    rank = next(gate.value for gate in found if gate.name == "effective rank")
    assert rank < ENTITIES_OF_THREE.latent // 3 + 0.01 < effective_rank(latents[judge])
