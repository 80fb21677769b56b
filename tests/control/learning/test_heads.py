from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from control.learning.heads import HeadTraining, train_actor, train_critic
from control.learning.hindsight import EncodedFrames, HindsightSampler
from tests.perception.training.interrupted_training import alone
from tests.tiny import frames, parts


def test_critic_and_actor_learn_and_leave_latents_and_each_other_alone(tmp_path: Path) -> None:
    cache, made = frames([30] * 4), parts()
    cache.actions[:] = 0.7
    for part in (made.critic, made.actor):
        part.requires_grad_(True)
    latents = torch.randn((cache.frames, 16), generator=torch.Generator().manual_seed(0))
    proprio = torch.from_numpy(cache.states)
    sampler = HindsightSampler(
        cache, np.arange(4), [EncodedFrames(latents, latents, proprio)], torch.from_numpy(cache.actions)
    )
    settings = HeadTraining(steps=25, batch=32)
    before = [parameter.clone() for parameter in made.critic.parameters()]
    critic = train_critic(made.critic, sampler, settings, tmp_path, 0, alone(), torch.float32)
    learnt = [parameter.clone() for parameter in made.critic.parameters()]
    actor = train_actor(
        made.actor, made.critic, made.model.predictor, sampler, settings, tmp_path, 0, alone(), torch.float32
    )
    assert any(not torch.equal(one, two) for one, two in zip(before, learnt, strict=True))
    assert all(torch.equal(one, two) for one, two in zip(learnt, made.critic.parameters(), strict=True))
    assert critic.terms["value"][-1] < -0.5
    assert actor.terms["loss"][-1] < actor.terms["loss"][0]
    assert {path.name for path in tmp_path.iterdir()} == {"critic.resume", "actor.resume"}
