from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.evaluation.picture_errors import augmentation_of, measure_errors, picture_errors
from perception.training_data.augmentation import Augmentation
from tests import tiny

PARTS = tiny.parts()


def errors_of(picture: np.ndarray) -> np.ndarray:
    found = picture_errors(PARTS.model, PARTS.decoder, torch.from_numpy(picture[None]))
    return np.asarray(found[0])


def drawn(picture: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(PARTS.decoder.draw(PARTS.model.encode(torch.from_numpy(picture[None])))[0])


@given(st.integers(0, 255))
@settings(max_examples=20, deadline=None)
def test_a_picture_of_one_colour_resembles_nothing(level: int) -> None:
    difference, dissimilarity = errors_of(np.full((32, 32, 3), level, np.uint8))
    assert np.isfinite(difference) and dissimilarity == pytest.approx(1.0, abs=1e-3)


def test_the_errors_are_those_of_what_the_decoder_draws() -> None:
    picture = tiny.picture(3)
    seen, other = picture / 255.0, drawn(picture) / 255.0
    difference, dissimilarity = errors_of(picture)
    assert difference == pytest.approx(np.sqrt(((seen - other) ** 2).mean()), abs=2e-3)
    one, two = (each - each.mean((0, 1)) for each in (seen, other))
    assert dissimilarity == pytest.approx(1 - (one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum()), abs=0.05)


def test_the_limits_are_above_the_errors_of_play_and_the_same_each_time() -> None:
    frames, episodes = tiny.frames([20, 20]), np.arange(2)
    measured = measure_errors(PARTS.model, PARTS.decoder, frames, episodes, Augmentation())
    assert measured == measure_errors(PARTS.model, PARTS.decoder, frames, episodes, Augmentation())
    assert measured.pictures == 40
    errors = picture_errors(PARTS.model, PARTS.decoder, torch.from_numpy(np.asarray(frames.images))).numpy()
    for number, quantiles in enumerate((measured.difference, measured.dissimilarity)):
        assert quantiles.median <= quantiles.most < quantiles.limit
        assert errors[:, number].max() <= quantiles.limit


def test_a_model_that_learnt_from_varied_pictures_knows_those_too() -> None:
    frames, episodes = tiny.frames([20, 20]), np.arange(2)
    plain = measure_errors(PARTS.model, PARTS.decoder, frames, episodes, Augmentation())
    varied = measure_errors(PARTS.model, PARTS.decoder, frames, episodes, Augmentation(share=1.0, light=0.9))
    assert varied.difference.most == plain.difference.most
    assert varied.difference.varied != plain.difference.varied
    assert augmentation_of({"world_model.augmentation.share": 0.25, "heads.steps": 3}).share == 0.25
