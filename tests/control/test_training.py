from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from control.critic import Critic
from control.hindsight import HindsightSampler
from control.training import HeadTraining, calibrate_reached, train_actor, train_critic
from tests.perception.interrupted_training import alone
from tests.tiny import DISCOUNT, frames, parts


class Counting(Critic):
    """Says that a state is as many blocks away as its latent's first entry is from the goal's."""

    def distance(self, latent: torch.Tensor, proprio: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        return (latent - goal)[:, 0].abs()


def test_reached_is_nearer_than_half_of_what_neighbours_are_apart() -> None:
    cache = frames([11, 101])
    steps = torch.arange(100, dtype=torch.float32) / 100  # each frame of the second episode a little farther on
    latents = torch.cat([100 * torch.arange(11), torch.zeros(1), steps.cumsum(0)])[:, None]
    proprio = torch.zeros(cache.frames, 1)
    reached = calibrate_reached(Counting(1, 1, DISCOUNT), latents, proprio, cache.starts[1:], cache.lengths[1:])
    assert reached == pytest.approx(0.25, abs=0.01)
    # The step from one episode to the next does not count.
    alone = calibrate_reached(Counting(1, 1, DISCOUNT), latents, proprio, cache.starts[:1], cache.lengths[:1])
    assert alone == pytest.approx(50.0)


def test_critic_and_actor_learn_and_leave_latents_and_each_other_alone(tmp_path: Path) -> None:
    cache, made = frames([30] * 4), parts()
    cache.actions[:] = 0.7
    for part in (made.critic, made.actor):
        part.requires_grad_(True)
    latents = torch.randn((cache.frames, 16), generator=torch.Generator().manual_seed(0))
    proprio = torch.from_numpy(cache.states)
    sampler = HindsightSampler(cache, np.arange(4), latents, proprio, torch.from_numpy(cache.actions))
    settings = HeadTraining(steps=25, batch=32)
    before = [parameter.clone() for parameter in made.critic.parameters()]
    critic = train_critic(made.critic, sampler, settings, tmp_path, 0, alone())
    learnt = [parameter.clone() for parameter in made.critic.parameters()]
    actor = train_actor(made.actor, made.critic, sampler, settings, tmp_path, 0, alone())
    assert any(not torch.equal(one, two) for one, two in zip(before, learnt, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(learnt, made.critic.parameters(), strict=True))
    assert critic.terms["value"][-1] < -0.5
    assert actor.terms["loss"][-1] < actor.terms["loss"][0]
    assert {path.name for path in tmp_path.iterdir()} == {"critic.resume", "actor.resume"}
