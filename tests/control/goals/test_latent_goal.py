from __future__ import annotations

import torch

from control.decision_config import GoalDetectionConfig, SearchConfig, default_decision_config
from control.goals.goal_sequence import GoalSequence
from control.goals.latent_goal import LatentGoal, latent_distance
from control.interfaces import Situation
from control.planning.objectives import CriticCost, LatentDistance
from control.planning.planner import Planner
from control.policies import METHODS, POLICIES
from perception.model.entities.layout import TokenLayout
from tests.tiny import ENTITIES_OF_THREE, parts, trained

TOKEN = 11
LAYOUT = TokenLayout(3)
CONFIG = ENTITIES_OF_THREE
ONLY_FIRST = torch.tensor([1.0, 0.0, 0.0])


def latent(*tokens: float) -> torch.Tensor:
    """A latent whose tokens hold one number each, over and over."""
    return torch.tensor(tokens, dtype=torch.float32).repeat_interleave(TOKEN)


def goal_of(tokens: torch.Tensor, wanted: torch.Tensor | None = None) -> LatentGoal:
    return LatentGoal(tokens, wanted, LAYOUT)


def test_the_difference_from_a_goal_is_that_of_the_tokens_that_matter() -> None:
    seen = latent(1.0, 5.0, 9.0)
    assert float(goal_of(latent(0.0, 5.0, 9.0)).difference(seen)) == float(
        latent_distance(seen, latent(0.0, 5.0, 9.0), LAYOUT)
    )
    assert float(goal_of(latent(0.0, 0.0, 0.0), ONLY_FIRST).difference(seen)) == 1.0
    two = goal_of(latent(0.0, 2.0, 0.0), torch.tensor([1.0, 1.0, 0.0]))
    assert two.difference(torch.stack([seen, two.latent])).tolist() == [5.0, 0.0]


def test_a_goal_is_reached_though_what_does_not_matter_is_elsewhere() -> None:
    seen = latent(1.0, 5.0, 9.0)
    for goal, reached in ((goal_of(latent(1.0, 0.0, 0.0), ONLY_FIRST), True), (goal_of(latent(1, 0, 0)), False)):
        sequence = GoalSequence([goal], 1.0, 5, GoalDetectionConfig())
        assert any(sequence.update(seen, lambda goal: 0.0) for _ in range(5)) == reached
        assert sequence.look(seen) == reached


def test_what_does_not_matter_in_a_goal_changes_no_decision() -> None:
    model, config = trained(config=CONFIG), default_decision_config(has_binary_actions=False)
    now, proprio = latent(0.5, -0.5, 0.2)[None], torch.zeros(1, CONFIG.proprio)

    def chosen(method: str, goal: LatentGoal) -> list[float]:
        policy = POLICIES[method](model, config, 0)  # type: ignore[index]
        choice = policy.choose(Situation(now, proprio, now, goal, 1.0))
        return [*choice.action.tolist(), choice.cost]

    for method in set(METHODS) - {"hold", "random"}:
        one, other = (chosen(method, goal_of(latent(1.0, rest, -rest), ONLY_FIRST)) for rest in (0.0, 3.0))
        assert one == other, method
        assert one != chosen(method, goal_of(latent(1.0, 3.0, -3.0))), method


def test_a_plan_is_scored_by_the_tokens_that_matter() -> None:
    made = parts(config=CONFIG)
    config = SearchConfig(horizon=2, samples=8, iterations=1)
    goals = [goal_of(latent(1.0, rest, rest), ONLY_FIRST) for rest in (0.0, 3.0)]
    for objective in (CriticCost(made.critic), LatentDistance()):
        plans = [
            Planner(made.model, objective, config, made.actor, 0).plan(latent(0, 0, 0), torch.zeros(7), goal)
            for goal in goals
        ]
        assert plans[0].cost == plans[1].cost and torch.equal(plans[0].actions, plans[1].actions)
