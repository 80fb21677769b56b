from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from perception.model.losses.jepa import JepaWeights
from perception.model.world_model import WorldModel, WorldModelConfig
from perception.training.world_model import (
    ENCODE_BATCH,
    DecoderTraining,
    WorldModelTraining,
    compute_dtype,
    encode_all,
    expect_all,
    train_decoder,
    train_world_model,
)
from perception.training_data.augmentation import Augmentation
from tests.perception.training.interrupted_training import alone
from tests.tiny import CONFIG, OF_TWO, frames, parts

CPU = torch.device("cpu")


def test_every_frame_is_encoded_in_order() -> None:
    cache = frames([ENCODE_BATCH - 3, 10])
    cache.images.flags.writeable = False  # as a cache mapped from disk is
    model = parts().model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latents = encode_all(model, cache, CPU)
    assert latents.shape == (cache.frames, CONFIG.latent) and not latents.requires_grad
    for place in (0, ENCODE_BATCH - 1, ENCODE_BATCH, cache.frames - 1):
        alone_there = model.encode(torch.from_numpy(cache.images[place : place + 1].copy()))[0]
        torch.testing.assert_close(latents[place], alone_there, atol=1e-5, rtol=1e-4)


def test_the_normaliser_is_fitted_on_what_is_learnt_from_alone(tmp_path: Path) -> None:
    cache = frames([20, 20, 20])
    cache.states[40:] += 100.0
    model = WorldModel(CONFIG)
    settings = WorldModelTraining(steps=2, batch=2, clip=3, weights=JepaWeights(projections=4))
    history = train_world_model(model, cache, np.array([0, 1]), settings, tmp_path, 0, alone(), torch.float32)
    np.testing.assert_allclose(model.normaliser.mean, cache.states[:40].mean(0), rtol=1e-4, atol=1e-4)
    assert history.steps == [0, 1] and not model.training


def test_the_decoder_learns_without_touching_the_latents(tmp_path: Path) -> None:
    cache, made = frames([20, 20]), parts()
    made.decoder.requires_grad_(True)
    latents = encode_all(made.model, cache, CPU)
    before = latents.clone()
    settings = DecoderTraining(steps=15, batch=8)
    history = train_decoder(made.decoder, cache, latents, settings, tmp_path, 0, alone(), torch.float32)
    assert torch.equal(latents, before)
    assert history.terms["loss"][-1] < history.terms["loss"][0]


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("float32", torch.float32)])
def test_precision_is_what_was_asked_for(precision: str, dtype: torch.dtype) -> None:
    assert compute_dtype(precision, CPU) is dtype  # type: ignore[arg-type]
    assert compute_dtype("auto", CPU) in (torch.bfloat16, torch.float32)


def test_pictures_that_look_otherwise_are_encoded_so_by_their_seed() -> None:
    cache, model = frames([ENCODE_BATCH + 10]), parts().model
    plain = encode_all(model, cache, CPU)
    looks = Augmentation(share=1.0)
    varied, again, other = (encode_all(model, cache, CPU, looks, seed) for seed in (0, 0, 1))
    assert varied.shape == plain.shape and torch.equal(varied, again)
    assert ((varied - plain).abs().amax(1) > 1e-3).float().mean() > 0.95
    assert not torch.allclose(varied, other)


@pytest.mark.parametrize("config", [CONFIG, OF_TWO])
def test_what_is_expected_of_a_frame_follows_from_the_one_before(config: WorldModelConfig) -> None:
    cache, model = frames([ENCODE_BATCH - 3, 1, 10]), parts(config=config).model
    latents = encode_all(model, cache, CPU)
    expected, proprio = expect_all(model, cache, latents)
    felt, actions = model.normaliser(torch.from_numpy(cache.states)), torch.from_numpy(cache.actions)
    for first in cache.starts:
        assert torch.equal(expected[first], latents[first]) and torch.equal(proprio[first], felt[first])
    for frame in (1, ENCODE_BATCH - 4, ENCODE_BATCH, ENCODE_BATCH + 1, cache.frames - 1):
        before = slice(frame - 1, frame)
        earlier = latents[before] if frame - 1 in cache.starts else latents[frame - 2 : frame - 1]
        there, there_felt = model.predictor(latents[before], felt[before], actions[before], earlier)
        torch.testing.assert_close(expected[frame], there[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(proprio[frame], there_felt[0], atol=1e-5, rtol=1e-4)
