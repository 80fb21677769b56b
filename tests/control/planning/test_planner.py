from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from control.decision_config import SearchConfig
from control.goals.latent_goal import LatentGoal
from control.planning.objectives import ActionPenalty, Objective, Rollout, WeightedSum
from control.planning.planner import Plan, Planner
from control.policy.action_mixture import ActionDistribution
from control.policy.actor import Actor
from perception.checkpoint.card import HeadsConfig
from perception.model.world_model import WorldModel, WorldModelConfig
from tests.tiny import HEADS, sized

STEP = 0.3
CONFIG = WorldModelConfig(height=16, width_px=16, proprio=1, action=2, latent=4, width=8, blocks=1)
LATENT, PROPRIO = torch.zeros(4), torch.zeros(1)
METHODS: tuple[Literal["cem", "mppi"], ...] = ("cem", "mppi")


class Linear(nn.Module):
    """A world in which an action moves the first two entries of the latent by `STEP` times itself, and they keep
    `going` of how they moved before."""

    def __init__(self, going: float = 0.0) -> None:
        super().__init__()
        self.going = going

    def forward(
        self, latent: Tensor, proprio: Tensor, action: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        moved = torch.zeros_like(latent) if before is None else latent - before
        here = latent[..., :2] + STEP * action + self.going * moved[..., :2]
        return torch.cat([here, latent[..., 2:]], dim=-1), proprio


@dataclass(frozen=True)
class Quadratic:
    """Squared distance of the first two entries from the goal's, at the end."""

    def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
        return ((rollout.latents[:, -1, :2] - goal.latent[:2]) ** 2).sum(-1)


def linear_world() -> WorldModel:
    model = WorldModel(CONFIG).eval()
    model.predictor = Linear()  # type: ignore[assignment]
    return model


def planner(
    config: SearchConfig,
    objective: Objective | None = None,
    actor: Actor | None = None,
    seed: int = 0,
    use_prior: bool = False,
) -> Planner:
    return Planner(linear_world(), objective or Quadratic(), config, actor, seed, use_prior)


def goal(x: float, y: float) -> LatentGoal:
    return LatentGoal(torch.tensor([x, y, 0.0, 0.0]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("where", [(0.5, -0.2), (-0.9, 0.9), (0.0, 0.0)])
def test_it_ends_where_the_goal_is(method: Literal["cem", "mppi"], where: tuple[float, float]) -> None:
    config = SearchConfig(method=method, horizon=4, samples=256, iterations=6, temperature=0.02)
    plan = planner(config).plan(LATENT, PROPRIO, goal(*where))
    assert plan.actions.shape == (4, 2) and plan.latents.shape == (4, 4)
    assert plan.actions.abs().max() <= 1
    torch.testing.assert_close(plan.latents[-1, :2], torch.tensor(where), atol=0.1, rtol=0)
    torch.testing.assert_close(plan.latents[-1, :2], STEP * plan.actions.sum(0))
    assert plan.cost == pytest.approx(float(((plan.latents[-1, :2] - torch.tensor(where)) ** 2).sum()), abs=1e-6)


def test_it_plans_for_what_is_moving_already() -> None:
    made = planner(SearchConfig(horizon=3, samples=256, iterations=8))
    made._model.predictor = Linear(going=1.0)  # type: ignore[assignment]
    before = torch.tensor([-0.2, 0.0, 0.0, 0.0])
    plan = made.plan(LATENT, PROPRIO, goal(0.0, 0.0), before)
    torch.testing.assert_close(plan.latents[-1, :2], torch.zeros(2), atol=0.1, rtol=0)
    assert plan.actions[:, 0].sum() < -0.5
    latents, _ = made._model.rollout(LATENT[None], PROPRIO[None], plan.actions[None], before[None])
    torch.testing.assert_close(latents[0], plan.latents)


def test_cem_finds_the_optimum_that_algebra_gives() -> None:
    # min |STEP · Σ a − g|² + w · mean(a²): every block does the same, a = STEP · g / (STEP² · T + w / 2T).
    weight, blocks = 1.0, 3
    objective = WeightedSum([(1.0, Quadratic()), (weight, ActionPenalty())])
    config = SearchConfig(samples=512, horizon=blocks, iterations=12, min_std=0.005)
    plan = planner(config, objective).plan(LATENT, PROPRIO, goal(0.6, -0.3))
    best = STEP * torch.tensor([0.6, -0.3]) / (STEP**2 * blocks + weight / (2 * blocks))
    torch.testing.assert_close(plan.actions, best.expand(blocks, 2), atol=0.05, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_out_of_reach_it_goes_as_far_as_it_may(method: Literal["cem", "mppi"]) -> None:
    config = SearchConfig(method=method, horizon=4, samples=256, iterations=6, temperature=0.02)
    plan = planner(config).plan(LATENT, PROPRIO, goal(50.0, 0.0))
    assert plan.actions[:, 0].min() > 0.8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("acting", [False, True])
def test_the_seed_decides_everything(method: Literal["cem", "mppi"], acting: bool) -> None:
    torch.manual_seed(0)
    actor = Actor(sized(4, 1), HEADS) if acting else None

    def plans(seed: int) -> list[Plan]:
        made = planner(SearchConfig(method=method, horizon=4, samples=32), None, actor, seed)
        return [made.plan(LATENT, PROPRIO, goal(0.5, 0.5)) for _ in range(3)]

    first, same, other = plans(3), plans(3), plans(4)
    assert all(torch.equal(one.actions, two.actions) for one, two in zip(first, same, strict=True))
    assert not torch.equal(first[0].actions, other[0].actions)


def test_it_starts_from_its_last_answer_until_told_to_forget() -> None:
    config = SearchConfig(horizon=4, samples=8, iterations=1, std=1e-3)
    made = planner(config)
    for _ in range(30):  # each search is tiny, so only by going on from the last does it get anywhere
        far = made.plan(LATENT, PROPRIO, goal(0.9, 0.9)).cost
    assert far < planner(config).plan(LATENT, PROPRIO, goal(0.9, 0.9)).cost
    made.reset()
    assert made.plan(LATENT, PROPRIO, goal(0.9, 0.9)).actions.abs().max() < 0.01


def test_a_warm_start_leaves_out_the_block_that_was_done() -> None:
    class Script:
        """Wants the first block to go right and the others left, as long as it cares."""

        care = 1.0

        def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
            wanted = torch.tensor([1.0, -1.0, -1.0, -1.0])
            return self.care * ((rollout.actions[..., 0] - wanted) ** 2).sum(-1)

    script = Script()
    made = planner(SearchConfig(horizon=4, samples=512, iterations=8), script)
    before = made.plan(LATENT, PROPRIO, goal(0, 0)).actions
    script.care = 0.0  # all plans are equal now, and the first one looked at is the one it starts from
    after = made.plan(LATENT, PROPRIO, goal(0, 0)).actions
    assert before[0, 0] > 0.5 and before[1:, 0].max() < -0.5
    torch.testing.assert_close(after, torch.cat([before[1:], before[-1:]]))


def test_an_actor_that_knows_the_way_saves_the_search() -> None:
    class Knowing(Actor):
        def for_goal(
            self, goal: Tensor, wanted: Tensor | None = None
        ) -> Callable[[Tensor, Tensor], ActionDistribution]:
            def there(latent: Tensor, proprio: Tensor) -> ActionDistribution:
                way = ((goal - latent)[..., :2] / STEP).clamp(-1, 1)[:, None]
                certain = torch.full_like(way, -3.0)
                return ActionDistribution(torch.zeros(len(way), 1), way, certain, way, self.binary)

            return there

    config = SearchConfig(horizon=4, samples=16, iterations=1, proposals=0.5)
    far = goal(1.1, -1.1)
    alone = planner(config).plan(LATENT, PROPRIO, far)
    helped = planner(config, None, Knowing(sized(4, 1), HEADS)).plan(LATENT, PROPRIO, far)
    assert helped.cost < 0.01 < alone.cost


def test_it_tells_how_likely_the_actor_finds_each_action_where_it_is_taken() -> None:
    class Kept:
        """Keeps the rollout that it is shown."""

        def __call__(self, rollout: Rollout, goal: LatentGoal) -> Tensor:
            self.rollout = rollout
            return Quadratic()(rollout, goal)

    torch.manual_seed(0)
    actor, kept, far = Actor(sized(4, 1), HeadsConfig(0.9, components=3)).eval(), Kept(), goal(0.4, 0.1)
    config = SearchConfig(horizon=3, samples=16, iterations=1, proposals=0.5)
    planner(config, kept, actor, use_prior=True).plan(LATENT, PROPRIO, far)
    seen = kept.rollout
    assert seen.prior_nll is not None and seen.prior_nll.shape == (16, 3)
    for block in range(3):
        latents = LATENT.expand(16, -1) if block == 0 else seen.latents[:, block - 1]
        likely = actor(latents, PROPRIO.expand(16, -1), far.latent.expand(16, -1))
        torch.testing.assert_close(
            seen.prior_nll[:, block], likely.negative_log_likelihood(seen.actions[:, block]), atol=1e-4, rtol=1e-4
        )
    planner(SearchConfig(horizon=3, samples=16, iterations=1), kept, actor).plan(LATENT, PROPRIO, far)
    assert kept.rollout.prior_nll is None
