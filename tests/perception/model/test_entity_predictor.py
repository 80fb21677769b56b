from __future__ import annotations

import pytest
import torch
from torch import Tensor

from perception.model.entity_predictor import EnsembleLayer, EntityPredictor

ENTITIES, TOKEN, PROPRIO, ACTION = 5, 6, 3, 2


def predictor(context: int = 1) -> EntityPredictor:
    torch.manual_seed(0)
    return EntityPredictor(ENTITIES, TOKEN, PROPRIO, ACTION, 24, 2, 0.1, context).eval()


def inputs(count: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    sizes = (ENTITIES * TOKEN, PROPRIO, ACTION, ENTITIES * TOKEN)
    latent, proprio, action, before = (torch.randn(count, size, generator=rng) for size in sizes)
    return latent, proprio, action, before


def permuted(latent: Tensor, order: list[int]) -> Tensor:
    return latent.unflatten(-1, (ENTITIES, TOKEN))[:, order].flatten(1)


@pytest.mark.parametrize("context", [1, 2])
def test_tokens_that_change_places_change_places_in_what_is_imagined(context: int) -> None:
    made, (latent, proprio, action, before) = predictor(context), inputs()
    order = [3, 0, 4, 1, 2]
    following, moved = made(latent, proprio, action, before)
    other, other_moved = made(permuted(latent, order), proprio, action, permuted(before, order))
    torch.testing.assert_close(other, permuted(following, order))
    torch.testing.assert_close(other_moved, moved)


def test_a_thing_is_moved_by_the_other_things_by_the_arm_and_by_the_action() -> None:
    made, known = predictor(), inputs()
    still = made(*known)[0].unflatten(-1, (ENTITIES, TOKEN))[:, 0]
    for number in range(3):
        changed = [value.clone() for value in known]
        changed[number][:, -TOKEN:] += 1.0  # of the latent: its last token
        assert (made(*changed)[0].unflatten(-1, (ENTITIES, TOKEN))[:, 0] - still).abs().max() > 1e-4


def test_what_was_before_counts_in_a_context_of_two_only() -> None:
    latent, proprio, action, before = inputs()
    for context, counts in ((1, False), (2, True)):
        made = predictor(context)
        assert torch.equal(made(latent, proprio, action)[0], made(latent, proprio, action, latent)[0])
        assert torch.equal(made(latent, proprio, action)[0], made(latent, proprio, action, before)[0]) != counts


def test_the_ensemble_agrees_on_what_it_learnt_and_not_on_what_it_did_not() -> None:
    torch.manual_seed(0)
    layer = EnsembleLayer(64, 2)
    mixing = torch.randn(8, 64)

    def example(scale: float) -> tuple[Tensor, Tensor]:
        hidden = torch.randn(64, 3, 8)
        return scale * torch.tanh(hidden @ mixing), hidden[..., :2]

    optimiser = torch.optim.AdamW(layer.parameters(), lr=1e-2)
    for _ in range(200):
        given, wanted = example(1.0)
        optimiser.zero_grad()
        ((layer(given) - wanted) ** 2).mean().backward()
        optimiser.step()
    layer.eval()
    with torch.inference_mode():
        given, wanted = example(1.0)
        assert ((layer(given) - wanted) ** 2).mean() < 0.15 * (wanted**2).mean()
        strange = torch.randn(64, 3, 64)
        assert layer.spread(strange).mean() > 1.5 * layer.spread(given).mean()
        assert layer.spread(given).shape == (64, 3)


def test_a_width_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves nothing for a token"):
        EntityPredictor(ENTITIES, TOKEN, PROPRIO, ACTION, 0, 2, 0.1, 1)
