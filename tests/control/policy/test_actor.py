from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily, Normal

from control.policy.action_mixture import ActionDistribution
from control.policy.actor import LOG_STD, Actor, ActorLoss
from perception.checkpoint.card import HeadsConfig
from tests.tiny import HEADS, sized


def inputs(count: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 8), torch.randn(count, 3), torch.randn(count, 8)


def test_its_likelihood_is_that_of_a_diagonal_gaussian() -> None:
    torch.manual_seed(0)
    actor, state = Actor(sized(8, 3), HEADS), inputs()
    action = 2 * torch.rand(6, 2) - 1
    likely = actor(*state)
    expected = -Normal(likely.mean[:, 0], likely.log_std[:, 0].exp()).log_prob(action).sum(-1)
    torch.testing.assert_close(likely.negative_log_likelihood(action), expected)


def test_of_a_binary_entry_the_likelihood_is_bernoullis() -> None:
    torch.manual_seed(0)
    actor, state = Actor(sized(8, 3, 3, binary=(2,)), HEADS), inputs()
    likely = actor(*state)
    gripper = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    action = torch.cat([2 * torch.rand(6, 2) - 1, gripper[:, None]], dim=1)
    gaussian = -Normal(likely.mean[:, 0, :2], likely.log_std[:, 0, :2].exp()).log_prob(action[:, :2]).sum(-1)
    bernoulli = -Bernoulli(logits=likely.logits[:, 0, 2]).log_prob((gripper + 1) / 2)
    torch.testing.assert_close(likely.negative_log_likelihood(action), gaussian + bernoulli)
    # To leave the gripper alone is no choice, and costs nothing.
    still = action.clone()
    still[:, 2] = 0.0
    torch.testing.assert_close(likely.negative_log_likelihood(still), gaussian)


def test_a_binary_entry_is_drawn_as_often_as_it_is_likely() -> None:
    logits = torch.tensor([[[0.3, -4.0, 1.0]]]).expand(4000, 1, 3)
    mean = torch.tanh(logits)
    binary = torch.tensor([False, True, True])
    likely = ActionDistribution(torch.zeros(4000, 1), mean, torch.full_like(mean, -2.0), logits, binary)
    drawn = likely.sample(torch.Generator().manual_seed(0))
    assert set(drawn[:, 1:].unique().tolist()) == {-1.0, 1.0}
    shares = (drawn[:, 1:] > 0).float().mean(0)
    torch.testing.assert_close(shares, torch.sigmoid(logits[0, 0, 1:]), atol=0.03, rtol=0)
    assert abs(float(drawn[:, 0].mean() - mean[0, 0, 0])) < 0.02
    assert likely.mode()[0].tolist() == [mean[0, 0, 0].item(), -1.0, 1.0]


def test_of_open_and_closed_it_learns_both_and_never_the_middle() -> None:
    """Half of the examples open and half close, and which one hangs on the goal alone."""
    torch.manual_seed(0)
    actor, (latent, proprio, goal) = Actor(sized(8, 3, binary=(1,)), HEADS), inputs(64)
    gripper = torch.where(goal[:, :1] > 0, 1.0, -1.0)
    action = torch.cat([torch.zeros(64, 1), gripper], dim=1)
    loss = ActorLoss(actor, temperature=0.0)
    optimiser = torch.optim.AdamW(actor.parameters(), lr=3e-3)
    batch = {"latent": latent, "proprio": proprio, "goal": goal, "action": action, "advantage": torch.zeros(64)}
    for _ in range(150):
        optimiser.zero_grad()
        loss(batch)["loss"].backward()
        optimiser.step()
    assert (actor(latent, proprio, goal).mode()[:, 1:] == gripper).all()


def test_the_likelihood_of_a_mixture_is_that_of_its_components() -> None:
    torch.manual_seed(0)
    actor, state = Actor(sized(8, 3), HeadsConfig(0.9, components=3)), inputs()
    likely = actor(*state)
    action = 2 * torch.rand(6, 2) - 1
    mixture = MixtureSameFamily(
        Categorical(logits=likely.weights), Independent(Normal(likely.mean, likely.log_std.exp()), 1)
    )
    torch.testing.assert_close(likely.negative_log_likelihood(action), -mixture.log_prob(action))


def test_of_two_ways_round_it_learns_both_and_never_the_middle() -> None:
    """From one and the same state, play went left as often as right, and opened only on the left."""
    torch.manual_seed(0)
    actor, state = Actor(sized(8, 3, binary=(1,)), HeadsConfig(0.9, components=4)), inputs()
    state = tuple(value[:1].expand(64, -1) for value in state)
    left = torch.arange(64) % 2 == 0
    action = torch.stack([torch.where(left, 0.7, -0.7), torch.where(left, 1.0, -1.0)], dim=1)
    loss = ActorLoss(actor, temperature=0.0)
    optimiser = torch.optim.AdamW(actor.parameters(), lr=3e-3)
    names = ("latent", "proprio", "goal")
    batch = {**dict(zip(names, state, strict=True)), "action": action, "advantage": torch.zeros(64)}
    for _ in range(150):
        optimiser.zero_grad()
        loss(batch)["loss"].backward()
        optimiser.step()
    likely = actor(*(value[:1].expand(500, -1) for value in state))
    drawn = likely.sample(torch.Generator().manual_seed(0))
    assert (drawn[:, 0].abs() > 0.4).float().mean() > 0.95
    assert 0.3 < (drawn[:, 0] > 0).float().mean() < 0.7
    assert (drawn[:, 0].sign() == drawn[:, 1]).float().mean() > 0.95
    assert abs(float(likely.mode()[0, 0].detach())) > 0.6


def test_actions_and_spreads_stay_within_bounds() -> None:
    actor = Actor(sized(8, 3), HeadsConfig(0.9, components=3))
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.mul_(30.0)
        likely = actor(*(1000 * value for value in inputs()))
    assert likely.mean.abs().max() <= 1
    assert likely.log_std.min() >= LOG_STD[0] and likely.log_std.max() <= LOG_STD[1]


def test_it_copies_the_better_of_two_actions() -> None:
    torch.manual_seed(0)
    state = tuple(value[:1].expand(64, -1) for value in inputs())
    good = torch.arange(64) < 16
    action = torch.where(good[:, None], 0.8, -0.8).expand(64, 2)
    advantage = torch.where(good, 2.0, -2.0)
    means = {}
    for temperature in (0.0, 2.0):
        actor = Actor(sized(8, 3), HEADS)
        loss = ActorLoss(actor, temperature)
        optimiser = torch.optim.AdamW(actor.parameters(), lr=3e-3)
        batch = {"latent": state[0], "proprio": state[1], "goal": state[2], "action": action, "advantage": advantage}
        for _ in range(100):
            optimiser.zero_grad()
            loss(batch)["loss"].backward()
            optimiser.step()
        means[temperature] = float(actor(*state).mean.mean().detach())
    assert means[0.0] < -0.2  # plain cloning follows the many
    assert means[2.0] > 0.7  # weighed by advantage, it follows the few that did better


def test_one_lucky_example_cannot_outweigh_all_others() -> None:
    loss = ActorLoss(Actor(sized(8, 3), HEADS), temperature=1.0)
    latent, proprio, goal = inputs()
    batch = {"latent": latent, "proprio": proprio, "goal": goal, "action": torch.zeros(6, 2)}
    terms = loss({**batch, "advantage": torch.full((6,), 1000.0)})
    assert torch.isfinite(terms["loss"])
    torch.testing.assert_close(terms["loss"], terms["plain"])


@pytest.mark.parametrize("features", [0, 5])
def test_for_a_goal_that_all_have_it_is_the_same(features: int) -> None:
    torch.manual_seed(0)
    actor, (latent, proprio, goal) = (
        Actor(sized(8, 3, 3, binary=(2,), commands=(1,)), HeadsConfig(0.9, components=2, features=features)),
        inputs(),
    )
    once, apart = actor.for_goal(goal[0])(latent, proprio), actor(latent, proprio, goal[:1].expand(6, -1))
    for name in ("weights", "mean", "log_std", "logits"):
        torch.testing.assert_close(getattr(once, name), getattr(apart, name))
        torch.testing.assert_close(getattr(once.last(2), name), getattr(apart, name)[4:])
