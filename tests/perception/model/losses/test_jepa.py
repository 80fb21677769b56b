from __future__ import annotations

import pytest
import torch
from torch import Tensor

from perception.model.losses.jepa import JepaLoss, JepaWeights
from perception.model.world_model import WorldModel
from tests.tiny import CONFIG

BEFORE_PLACES = tuple(f"convolutions.{layer}." for layer in (0, 1, 3, 4)) + ("places.heat", "places.sharp")
TERMS = ["rollout", "proprio", "inverse", "sigreg", "posture", "colour", "blobs"]


def batch(clips: int = 6, length: int = 4) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (clips, length, 32, 32, 3), generator=rng, dtype=torch.uint8)
    return {
        "images": images[:, :, None],
        "plain": images,
        "states": torch.randn((clips, length, CONFIG.proprio), generator=rng),
        "actions": 2 * torch.rand((clips, length - 1, CONFIG.action), generator=rng) - 1,
        "projections": torch.randn((CONFIG.latent, 32), generator=rng),
    }


def loss_module(weights: JepaWeights = JepaWeights()) -> JepaLoss:
    torch.manual_seed(0)
    return JepaLoss(WorldModel(CONFIG), weights)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("length", [2, 6])
def test_every_term_is_a_finite_number(length: int, autocast: bool) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        terms = loss_module()(batch(length=length))
    assert set(terms) == {"loss", *TERMS}
    for value in terms.values():
        assert value.shape == () and torch.isfinite(value) and value > 0


@pytest.mark.parametrize("term", TERMS)
def test_every_term_teaches_the_encoder(term: str) -> None:
    module = loss_module()
    module(batch())[term].backward()
    for name, parameter in module.model.encoder.named_parameters():
        if term == "blobs" and not name.startswith(BEFORE_PLACES):
            continue
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    weights = JepaWeights(sigreg=3.0, inverse=0.5, proprio=0.25, posture=0.75, colour=2.0, blobs=1.5)
    terms = loss_module(weights).eval()(batch())
    total = terms["rollout"] + 3.0 * terms["sigreg"] + 0.5 * terms["inverse"] + 0.25 * terms["proprio"]
    total = total + 0.75 * terms["posture"] + 2.0 * terms["colour"] + 1.5 * terms["blobs"]
    torch.testing.assert_close(terms["loss"], total)


def test_a_few_steps_learn_to_predict() -> None:
    module, clips = loss_module(), batch(clips=16)
    optimiser = torch.optim.AdamW(module.parameters(), lr=2e-3)
    first = module(clips)["loss"].item()
    for _ in range(40):
        optimiser.zero_grad()
        module(clips)["loss"].backward()
        optimiser.step()
    assert module(clips)["loss"].item() < 0.7 * first
