from __future__ import annotations

import pytest
import torch
from torch import Tensor

from control.policy.actor import Actor
from control.policy.critic import Critic
from perception.checkpoint.card import HeadsConfig
from tests.tiny import HEADS, sized

ENTITIES, TOKEN = 4, 5
CONFIG = sized(ENTITIES * TOKEN, 3, 3, binary=(2,), commands=(1,), entities=ENTITIES)
SEVERAL = HeadsConfig(0.9, components=2)


def heads() -> tuple[Critic, Actor]:
    torch.manual_seed(0)
    return Critic(CONFIG, HEADS).eval(), Actor(CONFIG, SEVERAL).eval()


def inputs(count: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    latent, proprio, goal = (torch.randn(count, size, generator=rng) for size in (CONFIG.latent, 3, CONFIG.latent))
    return latent, proprio, goal


def permuted(latent: Tensor, order: list[int]) -> Tensor:
    return latent.unflatten(-1, (ENTITIES, TOKEN))[:, order].flatten(1)


def said(*arguments: Tensor) -> list[Tensor]:
    """All that critic and actor say."""
    critic, actor = heads()
    likely = actor(*arguments)
    return [critic.values(*arguments), likely.weights, likely.mean, likely.log_std, likely.logits]


def same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.allclose(one, other, atol=1e-5) for one, other in zip(some, others, strict=True))


def test_tokens_that_change_places_in_state_and_goal_make_no_difference() -> None:
    latent, proprio, goal = inputs()
    order = [2, 0, 3, 1]
    there = said(latent, proprio, goal)
    assert same(there, said(permuted(latent, order), proprio, permuted(goal, order)))
    assert not same(there, said(permuted(latent, order), proprio, goal)), "a thing wanted elsewhere is another goal"


def test_a_masked_token_of_the_goal_has_no_influence() -> None:
    latent, proprio, goal = inputs()
    wanted = torch.tensor([1.0, 0.0, 1.0, 1.0]).expand(6, -1)
    other = goal.unflatten(-1, (ENTITIES, TOKEN)).clone()
    other[:, 1] += 5.0
    assert same(said(latent, proprio, goal, wanted), said(latent, proprio, other.flatten(1), wanted))
    assert not same(said(latent, proprio, goal), said(latent, proprio, other.flatten(1)))
    assert not same(said(latent, proprio, goal), said(latent, proprio, goal, wanted))
    whole = torch.ones(6, ENTITIES)
    assert same(said(latent, proprio, goal), said(latent, proprio, goal, whole))


@pytest.mark.parametrize("masked", [False, True])
def test_for_a_goal_that_all_have_it_is_the_same(masked: bool) -> None:
    latent, proprio, goal = inputs()
    critic, actor = heads()
    mask = [torch.tensor([0.0, 1.0, 1.0, 0.0])] if masked else []
    each = [value.expand(6, -1) for value in mask]
    torch.testing.assert_close(
        critic.for_goal(goal[0], *mask)(latent, proprio), critic(latent, proprio, goal[:1].expand(6, -1), *each)
    )
    once, apart = (
        actor.for_goal(goal[0], *mask)(latent, proprio),
        actor(latent, proprio, goal[:1].expand(6, -1), *each),
    )
    for name in ("weights", "mean", "log_std", "logits"):
        torch.testing.assert_close(getattr(once, name), getattr(apart, name))


def test_a_critic_of_entities_begins_as_far_away_as_a_flat_one() -> None:
    latent, proprio, goal = inputs()
    values = [float(Critic(of, HEADS).values(latent, proprio, goal).mean().detach()) for of in (CONFIG, sized(20, 3))]
    assert values[0] == pytest.approx(values[1], abs=1.0)


def test_the_goal_of_a_flat_latent_cannot_be_masked() -> None:
    latent, proprio, goal = inputs()
    flat = sized(CONFIG.latent, 3, 3)
    for head in (Critic(flat, HEADS), Actor(flat, HEADS)):
        with pytest.raises(ValueError, match="no part of a goal can be masked"):
            head(latent, proprio, goal, torch.ones(6, ENTITIES))


def test_tokens_are_not_read_through_features() -> None:
    with pytest.raises(ValueError, match="compared themselves"):
        Actor(CONFIG, HeadsConfig(0.9, features=8))
