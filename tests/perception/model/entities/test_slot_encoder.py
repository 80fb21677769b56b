from __future__ import annotations

import pytest
import torch

from perception.model.encoders import EncoderRequest, describe_encoder
from perception.model.entities.places import places_of
from perception.model.entities.slot_encoder import SlotEncoder
from perception.model.keypoints import SPAN
from perception.model.losses.painter import Painter
from robot.errors import ConfigurationError

SIDE, ENTITIES, FEATURES = 32, 4, 8
RED = torch.tensor((220.0, 40.0, 40.0))


def square(at: torch.Tensor) -> torch.Tensor:
    """Pictures (B, SIDE, SIDE, 3) of a red square of 7 pixels on grey, whose middle is `at` (B, 2) pixels."""
    middles = torch.arange(SIDE) + 0.5
    across, down = ((4.0 - (middles - at[:, axis, None]).abs()).clamp(0, 1) for axis in (0, 1))
    cover = (down[:, :, None] * across[:, None, :]).unsqueeze(-1)
    return (128.0 * (1 - cover) + RED * cover).round().to(torch.uint8)


def places(count: int, rng: torch.Generator) -> torch.Tensor:
    return 5.0 + (SIDE - 10.0) * torch.rand(count, 2, generator=rng)


def test_a_token_learns_where_a_coloured_square_is_to_a_fraction_of_a_pixel() -> None:
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    encoder, painter = SlotEncoder(SIDE, SIDE, 1, ENTITIES, FEATURES), Painter(1, SIDE, SIDE, FEATURES + 3)
    learning = [*encoder.parameters(), *painter.parameters()]
    optimiser = torch.optim.AdamW(learning, lr=1e-2)
    for _ in range(60):
        pictures = square(places(8, rng))
        optimiser.zero_grad()
        painter(encoder(pictures[:, None]).unflatten(1, (ENTITIES, -1)), pictures).backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
    at = places(100, rng)
    with torch.inference_mode():
        found = places_of(encoder.eval()(square(at)[:, None]).unflatten(1, (ENTITIES, -1)), views=1)[:, :, 0]
    pixels = (found[..., :2] / SPAN + 1) * SIDE / 2
    errors = (pixels - at[:, None]).norm(dim=-1).median(0).values
    assert errors.min() < 0.5


def test_a_token_has_a_place_in_every_view_and_views_are_not_confused() -> None:
    torch.manual_seed(0)
    encoder = SlotEncoder(SIDE, SIDE, 2, ENTITIES, FEATURES).eval()
    rng = torch.Generator().manual_seed(0)
    above, below = square(places(3, rng)), square(places(3, rng))
    one = encoder(torch.cat([above, below], dim=1)[:, None])
    swapped = encoder(torch.cat([below, above], dim=1)[:, None])
    assert one.shape == (3, ENTITIES * (FEATURES + 6)) and torch.isfinite(one).all()
    assert not torch.allclose(one, swapped, atol=1e-3), "the views differ in what they add to the features"
    found = places_of(one.unflatten(1, (ENTITIES, -1)), views=2)
    assert found.shape == (3, ENTITIES, 2, 3) and found.abs().max() <= SPAN


def test_tokens_are_standardised_by_what_training_saw_and_then_no_more() -> None:
    torch.manual_seed(0)
    encoder = SlotEncoder(SIDE, SIDE, 1, ENTITIES, FEATURES)
    pictures = square(places(16, torch.Generator().manual_seed(0)))[:, None]
    seen = encoder(pictures).unflatten(1, (ENTITIES, -1))[..., :FEATURES]
    torch.testing.assert_close(seen.mean((0, 1)), torch.zeros(FEATURES), atol=1e-4, rtol=0)
    before = {name: value.clone() for name, value in encoder.eval().state_dict().items()}
    later = encoder(pictures).unflatten(1, (ENTITIES, -1))[..., :FEATURES]
    torch.testing.assert_close(later, seen, atol=1e-4, rtol=1e-3)
    alone = encoder(pictures[:1])
    torch.testing.assert_close(alone, encoder(pictures)[:1], atol=1e-4, rtol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("options", "entities", "said"),
    [
        ({}, 0, "--sizes.entities 7"),
        ({"depth": "3"}, 7, "no option depth; it has one, features"),
        ({"features": "12"}, 7, "--sizes.encoder-options features 12: it must be a multiple of 8"),
        ({"features": "9" * 5000}, 7, "must be a multiple of 8, from 8 to 1024"),
        ({"features": "-8"}, 7, "must be a multiple of 8"),
    ],
)
def test_options_that_make_no_encoder_are_refused(options: dict[str, str], entities: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        describe_encoder("entities", EncoderRequest(None, 1, 192, 48, options, entities))


def test_it_says_its_own_sizes() -> None:
    described = describe_encoder("entities", EncoderRequest((96, 64), 2, 192, 48, {}, 7))
    assert (described.picture, described.frames, described.keypoints, described.entities) == ((96, 64), 1, 0, 7)
    assert described.latent == 7 * (48 + 2 * 3)
