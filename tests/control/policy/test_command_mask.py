from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from control.policy.actor import Actor
from control.policy.command_mask import CommandMask
from control.policy.critic import Critic
from tests.tiny import HEADS, sized


@given(size=st.integers(1, 8), data=st.data())
def test_all_but_the_commands_are_felt_in_their_order(size: int, data: st.DataObject) -> None:
    commands = data.draw(st.sets(st.integers(0, size - 1)))
    felt = CommandMask(size, commands)
    proprio = torch.arange(3 * size, dtype=torch.float32).reshape(3, size)
    kept = [entry for entry in range(size) if entry not in commands]
    assert felt.size == len(kept)
    torch.testing.assert_close(felt(proprio), proprio[:, torch.tensor(kept, dtype=torch.long)])


def test_neither_critic_nor_actor_knows_what_was_commanded() -> None:
    torch.manual_seed(0)
    latent, proprio, goal = torch.randn(5, 8), torch.randn(5, 4), torch.randn(5, 8)
    config = sized(8, 4, commands=(1, 3))
    critic, actor = Critic(config, HEADS), Actor(config, HEADS)
    other = proprio.clone()
    other[:, [1, 3]] = 7.0
    torch.testing.assert_close(critic(latent, proprio, goal), critic(latent, other, goal))
    torch.testing.assert_close(actor(latent, proprio, goal).mean, actor(latent, other, goal).mean)
    other[:, 0] = 7.0
    assert not torch.allclose(critic(latent, proprio, goal), critic(latent, other, goal))
    assert not torch.allclose(actor(latent, proprio, goal).mean, actor(latent, other, goal).mean)
