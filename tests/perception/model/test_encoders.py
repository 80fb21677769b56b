from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from perception.model.convolutional import ConvolutionalEncoder
from perception.model.encoders import (
    EncoderConfig,
    EncoderRequest,
    describe_encoder,
    look_at_stills,
    make_encoder,
)
from perception.model.entities.slot_encoder import SlotEncoder
from perception.model.entity_predictor import EntityPredictor
from perception.model.multi_view import MultiViewEncoder
from perception.model.world_model import WorldModel, WorldModelConfig
from robot.errors import ConfigurationError
from robot.registry import ENCODERS
from tests import strangers

REQUEST = EncoderRequest((32, 32), 1, 8, 4, {})
RIG = EncoderRequest((32, 32), 2, 8, 4, {})


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a module of this source as the encoder "strange"."""

    def install(source: str) -> None:
        (tmp_path / "strange_encoder.py").write_text(source)
        strangers.install(tmp_path, "strange", ENCODERS, {"strange": "strange_encoder:make"})
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(__import__("sys").modules, "strange_encoder", raising=False)

    return install


def test_the_built_in_ones_are_found_by_name() -> None:
    assert isinstance(make_encoder(EncoderConfig("convolutional"), REQUEST), ConvolutionalEncoder)
    assert isinstance(make_encoder(EncoderConfig("convolutional-rig"), RIG), MultiViewEncoder)


def test_a_model_without_a_named_encoder_has_the_one_that_fits_its_cameras() -> None:
    one = WorldModel(WorldModelConfig(height=32, width_px=32, latent=8))
    two = WorldModel(WorldModelConfig(height=64, width_px=32, latent=8, views=2))
    assert isinstance(one.encoder, ConvolutionalEncoder) and isinstance(two.encoder, MultiViewEncoder)
    things = WorldModel(WorldModelConfig(height=64, width_px=32, latent=5 * (48 + 6), views=2, entities=5))
    assert isinstance(things.encoder, SlotEncoder) and isinstance(things.predictor, EntityPredictor)


def test_a_description_says_the_sizes_and_draws_no_random_numbers() -> None:
    before = torch.random.get_rng_state()
    own = describe_encoder("convolutional", EncoderRequest(None, 1, 8, 4, {}))
    assert (own.picture, own.frames, own.latent, own.keypoints) == ((64, 64), 1, 8, 4)
    assert own.config == EncoderConfig("convolutional", {}, "")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_still_picture_fills_the_clip(strange: Callable[[str], None]) -> None:
    strange(
        "from torch import nn\n"
        "class Last(nn.Module):\n"
        "    picture, frames, latent, keypoints = (16, 16), 3, 2, 0\n"
        "    def look(self, clips):\n"
        "        return clips.float().mean((2, 3, 4))[:, 1:], None\n"
        "def make(request): return Last()\n"
    )
    encoder = make_encoder(EncoderConfig("strange"), EncoderRequest((16, 16), 1, 2, 0, {}))
    pictures = torch.arange(2, dtype=torch.uint8)[:, None, None, None].expand(-1, 16, 16, 3)
    assert look_at_stills(encoder, pictures).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    with pytest.raises(ConfigurationError, match=r"'strange' makes latents of size 2, not 5"):
        make_encoder(EncoderConfig("strange"), EncoderRequest((16, 16), 1, 5, 0, {}))


def test_what_is_no_encoder_is_refused(strange: Callable[[str], None]) -> None:
    strange("def make(request): return object()\n")
    with pytest.raises(ConfigurationError, match=r"'strange' is not an encoder: it must be a torch.nn.Module .*lacks"):
        make_encoder(EncoderConfig("strange"), REQUEST)


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("convolutional", RIG, "sees one camera, not 2: use 'convolutional-rig'"),
        ("convolutional", EncoderRequest((32, 40), 1, 8, 4, {}), "32×40 pixels: both sides must be multiples of 16"),
        ("convolutional-rig", EncoderRequest((32, 32), 2, 8, 4, {"depth": "3"}), "has no options; it was given depth"),
        ("nothing", REQUEST, "there is no encoder called 'nothing'"),
    ],
)
def test_what_an_encoder_cannot_do_is_refused(name: str, request_: EncoderRequest, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_encoder(EncoderConfig(name), request_)
