from __future__ import annotations

import pytest
import torch

from control.goals.hand import FEWEST, hand_tokens, shows_hand
from perception.model.entities.layout import FLAT, TokenLayout

LAYOUT = TokenLayout(3, 2)
HAND = 1


def remembered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents in which one token's places follow the state, and the others' do not."""
    rng = torch.Generator().manual_seed(0)
    state = torch.randn(count, 2, generator=rng)
    tokens = torch.randn(count, 3, 8, generator=rng)
    tokens[:, HAND, 2:4] = state + 0.1 * torch.randn(count, 2, generator=rng)
    tokens[:, HAND, 5:7] = state.flip(1)
    return tokens.flatten(1), state


def test_the_hand_is_where_places_follow_the_arms_state() -> None:
    assert hand_tokens(*remembered(500), LAYOUT).nonzero().flatten().tolist() == [HAND]


@pytest.mark.parametrize(
    ("count", "layout"), [(FEWEST - 1, LAYOUT), (0, LAYOUT), (500, TokenLayout(3, 0)), (500, FLAT)]
)
def test_with_little_remembered_or_no_places_no_token_is_the_hands(count: int, layout: TokenLayout) -> None:
    hand = hand_tokens(*remembered(count), layout)
    assert not hand.any()
    assert shows_hand(torch.zeros(24), hand, layout), "nothing is left out of a goal then"


def test_a_hand_is_seen_that_is_large_in_some_view() -> None:
    hand = torch.tensor([False, True, False])
    tokens = torch.full((3, 8), -1.0)
    assert not shows_hand(tokens.flatten(), hand, LAYOUT)
    tokens[0, 4] = 1.0
    assert not shows_hand(tokens.flatten(), hand, LAYOUT), "that is another token"
    tokens[HAND, 7] = 0.0
    assert shows_hand(tokens.flatten(), hand, LAYOUT)
