from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from control.learning.hindsight import EncodedFrames, GoalMix, HindsightSampler
from control.policy.critic import Critic, CriticLoss
from perception.training_data.clips import generator
from tests.tiny import HEADS, frames, sized

PLACES = 8
DISCOUNT = HEADS.discount


class Saying(Critic):
    """A critic whose value is told to it."""

    def __init__(self, value: Tensor) -> None:
        super().__init__(sized(1, 1), HEADS)
        self.value = value

    def values(self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        return self.value.expand(2, -1)


@pytest.mark.parametrize("blocks", [0.0, 1.0, 2.5, 10.0, 30.0])
def test_the_distance_is_the_inverse_of_the_value_of_that_many_blocks(blocks: float) -> None:
    value = torch.tensor([-(1 - DISCOUNT**blocks) / (1 - DISCOUNT)])
    nothing = torch.zeros(1, 1)
    assert float(Saying(value).distance(nothing, nothing, nothing)) == pytest.approx(blocks, abs=1e-3)


@pytest.mark.parametrize("value", [0.5, -10.0, -1000.0])
def test_values_that_mean_no_distance_are_cut_to_one_that_does(value: float) -> None:
    nothing = torch.zeros(1, 1)
    distance = float(Saying(torch.tensor([value])).distance(nothing, nothing, nothing))
    assert np.isfinite(distance) and distance >= 0


def test_the_smaller_of_two_values_counts() -> None:
    torch.manual_seed(0)
    critic = Critic(sized(4, 3), HEADS)
    inputs = torch.randn(5, 4), torch.randn(5, 3), torch.randn(5, 4)
    values = critic.values(*inputs)
    assert values.shape == (2, 5)
    assert torch.equal(critic(*inputs), values.amin(0))


def chain() -> tuple[HindsightSampler, Tensor]:
    """Random walks along a chain of places, seen as latents (PLACES, D) that hold the place."""
    rng = np.random.default_rng(0)
    lengths = [20] * 40
    cache = frames(lengths)
    places = []
    for length in lengths:
        place, direction = int(rng.integers(PLACES)), 1
        for _ in range(length):
            places.append(place)
            direction = -direction if rng.random() < 0.2 else direction
            place = int(np.clip(place + direction, 0, PLACES - 1))
    latents = torch.eye(PLACES)
    proprio = torch.zeros(cache.frames, 1)
    seen = EncodedFrames(latents[places], latents[places], proprio)
    return HindsightSampler(cache, np.arange(40), [seen], torch.zeros(cache.frames, 2)), latents


def test_on_a_chain_of_places_it_learns_how_far_each_is_from_each() -> None:
    torch.manual_seed(0)
    sampler, latents = chain()
    critic = Critic(sized(PLACES, 1), HEADS)
    loss = CriticLoss(critic, expectile=0.9, target_rate=0.05)
    optimiser = torch.optim.AdamW(critic.parameters(), lr=1e-3)
    for step in range(300):
        optimiser.zero_grad()
        loss(sampler.draw(128, generator(0, step, 0), GoalMix(reach=15), 0.0))["loss"].backward()
        optimiser.step()
        loss.move_target()
    start, goal = np.divmod(np.arange(PLACES**2), PLACES)
    with torch.inference_mode():
        learnt = critic.distance(latents[start], torch.zeros(PLACES**2, 1), latents[goal]).numpy()
    true = np.abs(start - goal)
    means = [learnt[true == blocks].mean() for blocks in range(PLACES)]
    assert means == sorted(means)
    assert np.corrcoef(learnt, true)[0, 1] > 0.9
    assert means[0] < 1.0 and means[1] == pytest.approx(1.0, abs=0.6)


def test_targets_follow_slowly_and_are_not_trained() -> None:
    loss = CriticLoss(Critic(sized(2, 1), HEADS), target_rate=0.25)
    assert not any(parameter.requires_grad for parameter in loss.target.parameters())
    fast, slow = next(loss.critic.parameters()), next(loss.target.parameters())
    before = slow.clone()
    with torch.no_grad():
        fast.add_(1.0)
    loss.move_target()
    torch.testing.assert_close(slow, before + 0.25)


@pytest.mark.parametrize(("here", "arrives", "wanted"), [(1.0, 0.0, 0.0), (0.0, 1.0, -1.0), (0.0, 0.0, -1.0 - 0.9 * 4)])
def test_what_a_value_is_drawn_to(here: float, arrives: float, wanted: float) -> None:
    loss = CriticLoss(Critic(sized(2, 1), HEADS), expectile=0.5)
    loss.target = Saying(torch.tensor([-4.0]))
    loss.critic = Saying(torch.tensor([wanted]))
    one = torch.zeros(1, 2)
    batch = {"latent": one, "next_latent": one, "goal": one, "proprio": one[:, :1], "next_proprio": one[:, :1]}
    terms = loss({**batch, "here": torch.tensor([here]), "arrives": torch.tensor([arrives])})
    assert float(terms["loss"]) == pytest.approx(0.0, abs=1e-10)


def test_for_a_goal_that_all_have_it_is_the_same() -> None:
    torch.manual_seed(0)
    critic = Critic(sized(4, 3, commands=(2,)), HEADS)
    latent, proprio, goal = torch.randn(5, 4), torch.randn(5, 3), torch.randn(4)
    torch.testing.assert_close(critic.for_goal(goal)(latent, proprio), critic(latent, proprio, goal.expand(5, -1)))
