from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from perception.model.losses.colour_decoder import ColourDecoder, colours
from tests.tiny import CONFIG


def table_with(colour: tuple[int, int, int], grey: int = 120) -> torch.Tensor:
    """A grey picture with a patch of a colour in its upper left quarter."""
    picture = torch.full((1, 32, 32, 3), grey, dtype=torch.uint8)
    picture[:, 4:8, 4:8] = torch.tensor(colour, dtype=torch.uint8)
    return picture


@given(grey=st.integers(0, 255), shade=st.integers(0, 255))
def test_greys_say_nothing_however_bright(grey: int, shade: int) -> None:
    assert float(colours(table_with((shade, shade, shade), grey)).abs().max()) < 1e-3


def test_a_colour_stands_out_where_it_is_and_its_kind_is_told() -> None:
    red, blue = colours(table_with((200, 20, 20))), colours(table_with((20, 20, 200)))
    assert red.shape == (1, 3, 16, 16)
    place = red.abs().sum(1)[0]
    assert place[2:4, 2:4].min() > 5 and place[8:].max() < 1
    assert float(red[0, 0, 2, 2]) > 0 > float(red[0, 2, 2, 2]) and float(blue[0, 2, 2, 2]) > 0 > float(blue[0, 0, 2, 2])


def test_a_tint_of_the_whole_picture_is_seen_through() -> None:
    plain = table_with((200, 20, 20))
    tinted = (plain.float() + torch.tensor([20.0, 0.0, -10.0])).round().to(torch.uint8)
    torch.testing.assert_close(colours(tinted), colours(plain), atol=0.05, rtol=0.0)


def test_the_decoder_learns_where_a_colour_is() -> None:
    torch.manual_seed(0)
    pictures = torch.cat([table_with((200, 20, 20)).roll((dy, dx), (1, 2)) for dy in (0, 12) for dx in (0, 12)])
    latents, wanted = torch.randn(4, CONFIG.latent), colours(pictures)
    decoder = ColourDecoder(32, 32, CONFIG.latent)
    optimiser = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = ((decoder(latents) - wanted) ** 2).mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2 * float((wanted**2).mean())
