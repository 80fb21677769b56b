from __future__ import annotations

import math

import msgspec
import pytest

from perception.model.losses.jepa import JepaWeights
from perception.training.settings import flat_settings
from perception.training.world_model import DecoderTraining, PredictorTraining, WorldModelTraining
from robot.errors import ConfigurationError


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        (WorldModelTraining(), {"steps": 0}, "--world-model.steps is 0; at least one step must be taken"),
        (WorldModelTraining(), {"clip": 1}, "--world-model.clip is 1; an action needs a frame before and after"),
        (WorldModelTraining(), {"weights": JepaWeights(coloured=0)}, "--world-model.weights.coloured is 0"),
        (WorldModelTraining(), {"weights": JepaWeights(action_noise=-1.0)}, "--world-model.weights.action-noise must"),
        (PredictorTraining(), {"batch": 0}, "--predictor.batch is 0; it must be at least 1"),
        (DecoderTraining(), {"learning_rate": math.nan}, "--decoder.learning-rate must be above 0, not nan"),
    ],
)
def test_settings_refuse_what_cannot_be_trained_and_name_the_option(
    settings: msgspec.Struct, change: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        msgspec.structs.replace(settings, **change)
    assert str(caught.value).startswith(words)
    with pytest.raises(ConfigurationError):
        type(settings)(**change)


def test_settings_are_named_by_part_and_field() -> None:
    flat = flat_settings("world_model", WorldModelTraining(steps=7))
    assert flat["world_model.steps"] == 7 and flat["world_model.weights.sigreg"] == 5.0
    assert set(flat_settings("decoder", DecoderTraining())) == {
        "decoder.steps",
        "decoder.batch",
        "decoder.learning_rate",
    }
