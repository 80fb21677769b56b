from __future__ import annotations

import dataclasses

import pytest
import torch

from control.goals.latent_goal import LatentGoal, goal_of_things
from control.planning.objectives import (
    ActionPenalty,
    BehaviourPrior,
    CriticCost,
    Disturbance,
    LatentDistance,
    Rollout,
    WeightedSum,
)
from perception.model.entities.layout import TokenLayout
from tests.tiny import CONFIG, parts


def hand_made() -> Rollout:
    """Two futures of three blocks; latents and proprio are constant, 1 to 3 in the first and 0 in the second."""
    levels = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])[:, :, None]
    actions = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0], [0.0, 0.5]]])
    latents, proprio = levels.expand(2, 3, CONFIG.latent), levels.expand(2, 3, CONFIG.proprio)
    return Rollout(latents, proprio, actions, torch.tensor([[1.0, 2.0, 6.0], [0.0, -1.0, 1.0]]))


GOAL = LatentGoal(torch.full((CONFIG.latent,), 3.0))


@pytest.mark.parametrize(
    ("path", "costs"), [(0.0, [0.0, 9.0]), (1.0, [(4 + 1) / 2, 18.0]), (0.5, [(4 + 1) / 4, 9 + 4.5])]
)
def test_latent_distance(path: float, costs: list[float]) -> None:
    torch.testing.assert_close(LatentDistance(path)(hand_made(), GOAL), torch.tensor(costs))


def test_action_penalty() -> None:
    torch.testing.assert_close(ActionPenalty()(hand_made(), GOAL), torch.tensor([4 / 6, 0.25 / 6]))


@pytest.mark.parametrize(("path", "every", "judged"), [(0.0, 1, [0, 1]), (0.3, 1, [0, 1]), (0.3, 2, [0]), (0.3, 3, [])])
def test_critic_cost_is_minus_the_value_along_the_way(path: float, every: int, judged: list[int]) -> None:
    critic, rollout = parts().critic, hand_made()
    value = torch.stack(
        [critic(rollout.latents[:, step], rollout.proprio[:, step], GOAL.latent.expand(2, -1)) for step in range(3)],
        dim=1,
    )
    expected = -value[:, 2] - (path * value[:, judged].mean(1) if judged else 0.0)
    torch.testing.assert_close(CriticCost(critic, path, every)(rollout, GOAL), expected)


def test_unfamiliarity_is_the_mean_surprise_and_needs_to_be_told_of_it() -> None:
    rollout = hand_made()
    torch.testing.assert_close(BehaviourPrior()(rollout, GOAL), torch.tensor([3.0, 0.0]))
    with pytest.raises(ValueError, match="prior_weight above 0"):
        BehaviourPrior()(dataclasses.replace(rollout, prior_nll=None), GOAL)


def test_costs_add_up_with_their_weights() -> None:
    rollout = hand_made()
    near, small = LatentDistance(1.0), ActionPenalty()
    total = WeightedSum([(2.0, near), (0.5, small)])(rollout, GOAL)
    torch.testing.assert_close(total, 2.0 * near(rollout, GOAL) + 0.5 * small(rollout, GOAL))
    nested = WeightedSum([(3.0, WeightedSum([(2.0, near)])), (1.5, small)])(rollout, GOAL)
    torch.testing.assert_close(nested, 3.0 * total)


def test_a_future_of_one_block_has_no_way_before_it() -> None:
    whole = hand_made()
    one = Rollout(whole.latents[:, :1], whole.proprio[:, :1], whole.actions[:, :1])
    torch.testing.assert_close(LatentDistance(1.0)(one, GOAL), torch.tensor([4.0, 9.0]))


def test_a_plan_disturbs_what_it_moves_though_the_goal_does_not_ask_for_it() -> None:
    """In the first future the second thing is moved by 1 across and 2 down, in the second one it is not."""
    tokens = torch.zeros(2, 3, 3, 3)
    tokens[0, 1:, 1] = torch.tensor([1.0, 2.0, 0.0])
    tokens[:, 1:, 0] = 5.0  # the first thing is wanted elsewhere
    rollout = Rollout(tokens.flatten(2), torch.zeros(2, 3, 1), torch.zeros(2, 3, 1))
    things = {name: torch.eye(3)[number] for number, name in enumerate(("red", "blue"))}
    one = goal_of_things(torch.zeros(9), TokenLayout(3, 1), things, ["red"])
    torch.testing.assert_close(Disturbance()(rollout, one), torch.tensor([5.0, 0.0]))
    for goal in (
        LatentGoal(one.latent, None, one.layout, things),
        goal_of_things(one.latent, one.layout, things, things),
    ):
        assert goal.bystanders is None
        torch.testing.assert_close(Disturbance()(rollout, goal), torch.zeros(2))
