from __future__ import annotations

import msgspec
import pytest
import torch
from torch import Tensor

from perception.model.losses.jepa import PLACES_COUNT, JepaLoss, JepaWeights, PredictorLoss
from perception.model.world_model import WorldModel, WorldModelConfig
from tests.tiny import CONFIG

BEFORE_PLACES = tuple(f"convolutions.{layer}." for layer in (0, 1, 3, 4)) + ("places.heat", "places.sharp")
TERMS = ["rollout", "proprio", "inverse", "sigreg", "posture", "colour", "blobs"]
ENTITIES = msgspec.structs.replace(CONFIG, entities=3, latent=3 * 51, keypoints=0)


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


def of_tokens(clips: int = 6, length: int = 4) -> dict[str, Tensor]:
    directions = torch.randn((ENTITIES.token, 32), generator=torch.Generator().manual_seed(0))
    return {**batch(clips, length), "projections": directions}


def loss_module(weights: JepaWeights = JepaWeights(), config: WorldModelConfig = CONFIG) -> JepaLoss:
    torch.manual_seed(0)
    return JepaLoss(WorldModel(config), weights)


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


@pytest.mark.parametrize(("term", "autocast"), [*((term, False) for term in TERMS[:-1]), ("loss", True)])
def test_every_term_teaches_the_encoder_of_entities(term: str, autocast: bool) -> None:
    module = loss_module(config=ENTITIES)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        terms = module(of_tokens())
    assert set(terms) == {"loss", *TERMS[:-1]} and all(torch.isfinite(value) for value in terms.values())
    terms[term].backward()
    for name, parameter in module.model.encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_tokens_may_depend_on_one_another_where_a_flat_latent_may_not() -> None:
    one = torch.randn((4096, ENTITIES.token), generator=torch.Generator().manual_seed(0))
    copies = one.repeat(1, 3)
    rng = torch.Generator().manual_seed(1)
    apart, whole = (torch.randn((size, 64), generator=rng) for size in (ENTITIES.token, ENTITIES.latent))
    tokens, flat = loss_module(config=ENTITIES), loss_module(config=msgspec.structs.replace(CONFIG, latent=3 * 51))
    assert float(tokens._spread(copies, apart)) == pytest.approx(float(tokens._spread(one, apart)))
    assert flat._spread(copies, whole) > 3 * tokens._spread(copies, apart)
    order = copies.unflatten(1, (3, -1))[:, [2, 0, 1]].flatten(1)
    torch.testing.assert_close(tokens._spread(order, apart), tokens._spread(copies, apart))


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


@pytest.mark.parametrize(("number", "more"), [(0, 1.0), (50, PLACES_COUNT)])
def test_a_place_that_is_foreseen_badly_counts_more_than_a_feature(number: int, more: float) -> None:
    torch.manual_seed(0)
    loss = PredictorLoss(WorldModel(ENTITIES)).eval()
    latents = torch.randn(4, 2, ENTITIES.latent)
    given = {"proprio": torch.zeros(4, 2, ENTITIES.proprio), "actions": torch.zeros(4, 1, ENTITIES.action)}
    imagined, _ = loss.predictor(latents[:, 0], given["proprio"][:, 0], given["actions"][:, 0])
    latents[:, 1] = imagined.detach()
    assert loss({"latents": latents, **given})["rollout"].item() == pytest.approx(0.0, abs=1e-6)
    errors = []
    for error in (0.1, 0.2):
        wrong = latents.clone()
        wrong[:, 1, number] += error
        errors.append(loss({"latents": wrong, **given})["rollout"].item())
    mean = (48 + 3 * PLACES_COUNT) / 51
    assert errors[1] - errors[0] == pytest.approx(0.1 * more / mean / ENTITIES.latent, rel=1e-3), "not its square"


def test_a_flat_latent_is_foreseen_to_the_square() -> None:
    torch.manual_seed(0)
    loss = PredictorLoss(WorldModel(CONFIG)).eval()
    latents = torch.randn(4, 2, CONFIG.latent)
    given = {"proprio": torch.zeros(4, 2, CONFIG.proprio), "actions": torch.zeros(4, 1, CONFIG.action)}
    imagined, _ = loss.predictor(latents[:, 0], given["proprio"][:, 0], given["actions"][:, 0])
    wanted = ((imagined - latents[:, 1]) ** 2).mean()
    torch.testing.assert_close(loss({"latents": latents, **given})["rollout"], wanted)
