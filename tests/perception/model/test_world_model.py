from __future__ import annotations

import msgspec
import torch

from perception.model.world_model import WorldModel, WorldModelConfig
from tests.tiny import CONFIG, OF_TWO


def test_a_rollout_is_the_predictor_step_by_step() -> None:
    torch.manual_seed(0)
    model = WorldModel(CONFIG).eval()
    latent, proprio, actions = torch.randn(3, 16), torch.randn(3, 7), torch.rand(3, 4, 2)
    latents, proprios = model.rollout(latent, proprio, actions)
    assert latents.shape == (3, 4, 16) and proprios.shape == (3, 4, 7)
    for step in range(4):
        latent, proprio = model.predictor(latent, proprio, actions[:, step])
        torch.testing.assert_close(latents[:, step], latent)
        torch.testing.assert_close(proprios[:, step], proprio)


def test_a_context_of_two_looks_at_the_latent_before() -> None:
    torch.manual_seed(0)
    model = WorldModel(OF_TWO).eval()
    latent, proprio, actions, before = torch.randn(3, 16), torch.randn(3, 7), torch.rand(3, 4, 2), torch.randn(3, 16)
    latents, _ = model.rollout(latent, proprio, actions, before)
    for step in range(4):
        following, proprio = model.predictor(latent, proprio, actions[:, step], before)
        torch.testing.assert_close(latents[:, step], following)
        before, latent = latent, following
    inputs = latent, proprio, actions[:, 0]
    assert torch.equal(model.predictor(*inputs)[0], model.predictor(*inputs, before=latent)[0])
    assert not torch.allclose(model.predictor(*inputs)[0], model.predictor(*inputs, before=before)[0])
    alone = WorldModel(CONFIG).eval()
    assert torch.equal(alone.predictor(*inputs)[0], alone.predictor(*inputs, before=before)[0])


def test_every_input_matters() -> None:
    torch.manual_seed(0)
    model = WorldModel(CONFIG).eval()
    latent, proprio, action = torch.zeros(1, 16), torch.zeros(1, 7), torch.zeros(1, 2)
    still, _ = model.predictor(latent, proprio, action)
    for changed in ((latent + 1, proprio, action), (latent, proprio + 1, action), (latent, proprio, action + 1)):
        assert (model.predictor(*changed)[0] - still - (changed[0] - latent)).abs().max() > 1e-3


def test_sizes_are_what_the_config_says() -> None:
    config = WorldModelConfig(height=16, width_px=48, proprio=3, action=4, latent=5, width=24, blocks=3, dropout=0.0)
    model = WorldModel(config)
    assert model.encode(torch.zeros(2, 16, 48, 3, dtype=torch.uint8)).shape == (2, 5)
    assert len(model.predictor.blocks) == 3
    assert msgspec.json.decode(msgspec.json.encode(config), type=WorldModelConfig) == config


def test_dropout_is_for_training_alone() -> None:
    torch.manual_seed(0)
    model = WorldModel(CONFIG)
    inputs = torch.randn(4, 16), torch.randn(4, 7), torch.randn(4, 2)
    assert not torch.equal(model.predictor(*inputs)[0], model.predictor(*inputs)[0])
    model.eval()
    assert torch.equal(model.predictor(*inputs)[0], model.predictor(*inputs)[0])
