from __future__ import annotations

import torch
from torch.distributions import Normal

from control.actor import LOG_SPREAD, Actor, ActorLoss


def inputs(count: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 8), torch.randn(count, 3), torch.randn(count, 8)


def test_its_likelihood_is_that_of_a_diagonal_gaussian() -> None:
    torch.manual_seed(0)
    actor, state = Actor(8, 3, 2), inputs()
    action = 2 * torch.rand(6, 2) - 1
    mean, log_spread = actor(*state)
    expected = -Normal(mean, log_spread.exp()).log_prob(action).sum(-1)
    torch.testing.assert_close(actor.negative_log_likelihood(*state, action), expected)


def test_actions_and_spreads_stay_within_bounds() -> None:
    actor = Actor(8, 3, 2)
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.mul_(30.0)
        mean, log_spread = actor(*(1000 * value for value in inputs()))
    assert mean.abs().max() <= 1
    assert log_spread.min() >= LOG_SPREAD[0] and log_spread.max() <= LOG_SPREAD[1]


def test_it_copies_the_better_of_two_actions() -> None:
    torch.manual_seed(0)
    state = tuple(value[:1].expand(64, -1) for value in inputs())
    good = torch.arange(64) < 16
    action = torch.where(good[:, None], 0.8, -0.8).expand(64, 2)
    advantage = torch.where(good, 2.0, -2.0)
    means = {}
    for temperature in (0.0, 2.0):
        actor = Actor(8, 3, 2)
        loss = ActorLoss(actor, temperature)
        optimiser = torch.optim.AdamW(actor.parameters(), lr=3e-3)
        batch = {"latent": state[0], "proprio": state[1], "goal": state[2], "action": action, "advantage": advantage}
        for _ in range(100):
            optimiser.zero_grad()
            loss(batch)["loss"].backward()
            optimiser.step()
        means[temperature] = float(actor(*state)[0].mean().detach())
    assert means[0.0] < -0.2  # plain cloning follows the many
    assert means[2.0] > 0.7  # weighed by advantage, it follows the few that did better


def test_one_lucky_example_cannot_outweigh_all_others() -> None:
    loss = ActorLoss(Actor(8, 3, 2), temperature=1.0)
    latent, proprio, goal = inputs()
    batch = {"latent": latent, "proprio": proprio, "goal": goal, "action": torch.zeros(6, 2)}
    terms = loss({**batch, "advantage": torch.full((6,), 1000.0)})
    assert torch.isfinite(terms["loss"])
    torch.testing.assert_close(terms["loss"], terms["plain"])
