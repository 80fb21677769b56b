from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch

from control.agent import Agent
from control.decision import Decision
from control.decision_config import with_changes
from control.goals.goal_sequence import SubgoalResult
from control.goals.landmarks import Landmarks
from control.interfaces import Choice, Situation
from control.model.trained_model import TrainedModel
from control.policies import METHODS, POLICIES, Method, make_agent
from perception.checkpoint.card import HeadsConfig
from robot.embodiment.observation import Observation
from robot.errors import CheckpointError, GoalError
from tests.tiny import CAMERA, CONFIG, OF_TWO, critic_says, picture, trained

STATE = np.zeros(CONFIG.proprio)
STILL = np.zeros(CONFIG.action)


def seen(place: int = 0, time_ns: int = 0) -> Observation:
    """What an arm at rest knows of picture `place`."""
    return Observation({CAMERA.name: picture(place)}, STATE, time_ns)


def with_reach(one_block: float) -> TrainedModel:
    """A model in whose play one block changed the latents by that much, and whose critic finds every goal near."""
    made = trained()
    return TrainedModel(msgspec.structs.replace(made.card, block_change=one_block), critic_says(made.parts))


def decisions(method: Method, seed: int = 0, model: TrainedModel | None = None, count: int = 3) -> list[Decision]:
    agent = make_agent(model or with_reach(-1.0), method, seed)
    agent.set_goal(picture(1))
    return [agent.decide(seen(2 + index), STILL) for index in range(count)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_decides_within_bounds(method: Method) -> None:
    for decision in decisions(method):
        assert decision.action.shape == (CONFIG.action,) and np.abs(decision.action).max() <= 1
        assert decision.action.dtype == np.float64
        assert np.isfinite(decision.distance) and np.isfinite(decision.cost) and decision.seconds > 0
        assert not decision.reached
        assert (decision.imagined is None) == (method in ("hold", "random"))


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: Method) -> None:
    first, same, other = (np.stack([made.action for made in decisions(method, seed)]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert np.array_equal(first, other) == (method in ("hold", "actor-only"))


@pytest.mark.parametrize("method", METHODS)
def test_what_was_before_a_goal_does_not_matter(method: Method) -> None:
    agent = make_agent(with_reach(-1.0), method)
    towards = []
    for goal in (1, 2, 1):
        agent.set_goal(picture(goal))
        towards.append(np.stack([agent.decide(seen(3 + index), STILL).action for index in range(3)]))
    np.testing.assert_array_equal(towards[0], towards[2])
    # An untrained model's costs hardly tell goals apart, so only methods without a search must differ between them.
    if method in ("hold", "random", "actor-only"):
        assert np.array_equal(towards[0], towards[1]) == (method == "hold")


def test_the_table_of_policies_holds_every_method_under_its_name() -> None:
    assert tuple(POLICIES) == METHODS
    assert [make_agent(trained(), method).name for method in METHODS] == [*METHODS]


class Towards:
    """A policy from elsewhere: pushes along the first axis by how much the picture differs from the goal."""

    name = "towards"
    refines_near_goal = False

    def begin(self, goal: np.ndarray) -> None:
        self.goal = goal

    def choose(self, situation: Situation) -> Choice:
        return Choice(np.array([min(1.0, situation.difference), 0.0]))


def test_an_agent_takes_a_policy_from_elsewhere() -> None:
    made, policy = with_reach(-1.0), Towards()
    agent = Agent(made, policy, made.decision_config)
    agent.set_goal(picture(1))
    assert agent.name == "towards" and np.array_equal(policy.goal, picture(1))
    there, away = (agent.decide(seen(place), STILL).action[0] for place in (1, 2))
    assert there < 1e-6 < away


class Grips:
    """A policy that moves the tool and turns the gripper to `grip`."""

    name = "grips"
    refines_near_goal = False

    def __init__(self, grip: float) -> None:
        self.grip = grip

    def begin(self, goal: np.ndarray) -> None:
        """Nothing to begin."""

    def choose(self, situation: Situation) -> Choice:
        return Choice(np.array([0.5, self.grip]))


@pytest.mark.parametrize(
    ("stay", "before", "grip", "moves"),
    [(0, -1.0, 1.0, 0.5), (1, -1.0, 1.0, 0.0), (1, 1.0, -1.0, 0.5), (2, 1.0, -1.0, 0.0), (2, -1.0, 1.0, 0.0)]
    + [(2, 1.0, 1.0, 0.5), (2, -1.0, -1.0, 0.5), (2, 0.0, 1.0, 0.5)],
)
def test_the_tool_stays_while_the_gripper_turns(stay: int, before: float, grip: float, moves: float) -> None:
    made = trained(config=msgspec.structs.replace(CONFIG, binary=(1,)))
    config = with_changes(made.decision_config, {"motion": {"stay_for_gripper": stay}})
    agent = Agent(made, Grips(grip), config)
    agent.set_goal(picture(1))
    assert agent.decide(seen(2), np.array([0.3, before])).action.tolist() == [moves, grip]


def test_what_was_expected_of_a_picture_comes_with_the_decision_on_it() -> None:
    agent = make_agent(with_reach(-1.0), "actor-only")
    agent.set_goal(picture(1))
    block_ns = agent.embodiment.action.block_ns
    times = (0, block_ns, 2 * block_ns + block_ns // 4, 5 * block_ns)
    made = [agent.decide(seen(2 + block, time_ns), np.array([1.0, -1.0])) for block, time_ns in enumerate(times)]
    # Nothing is expected of the first, nor where a block was left out.
    assert [decision.expected is None for decision in made] == [True, False, False, True]
    model = agent.trained.parts.model
    before = made[0].seen
    assert before is not None and made[1].expected is not None
    latent, proprio = model.predictor(before.latent[None], before.proprio[None], torch.tensor([[1.0, -1.0]]))
    assert torch.equal(made[1].expected.latent, latent[0]) and torch.equal(made[1].expected.proprio, proprio[0])
    agent.set_goal(picture(1))
    assert agent.decide(seen(2, 6 * block_ns), STILL).expected is None


def test_hold_holds_and_random_does_not() -> None:
    assert not any(made.action.any() for made in decisions("hold"))
    assert all(made.action.any() for made in decisions("random"))


def test_without_a_goal_it_does_not_decide() -> None:
    with pytest.raises(GoalError, match="set_goal"):
        make_agent(trained()).decide(seen(), STILL)


@pytest.mark.parametrize("shape", [(32, 48, 3), (16, 16, 3), (64, 64, 3)])
def test_a_goal_of_another_size_is_refused_and_the_old_one_stays(shape: tuple[int, ...]) -> None:
    agent = make_agent(with_reach(-1.0), "actor-only")
    agent.set_goal(picture(1))
    before = agent.decide(seen(2), STILL)
    with pytest.raises(GoalError, match="this model sees"):
        agent.set_goal(np.zeros(shape, np.uint8))
    np.testing.assert_array_equal(agent.decide(seen(2), STILL).action, before.action)


def apart() -> float:
    """How much picture 2 differs from the goal 1 in the agent's eyes."""
    model = trained().parts.model
    one, other = (model.encode(torch.from_numpy(picture(index)[None])) for index in (1, 2))
    return float(((one - other) ** 2).mean())


def says_done(one_block: float, shown: list[int]) -> list[bool]:
    """Whether an agent with the goal 1 says done at each of the pictures seen."""
    agent = make_agent(with_reach(one_block), "hold")
    agent.set_goal(picture(1))
    return [agent.decide(seen(index), STILL).reached for index in shown]


def test_reached_needs_to_be_seen_three_times_and_stops_the_arm() -> None:
    made = decisions("full", model=with_reach(1e9), count=1)
    assert not made[0].reached and made[0].action.any()
    agent = make_agent(with_reach(1e9), "full")
    agent.set_goal(picture(1))
    made = [agent.decide(seen(2), STILL) for _ in range(4)]
    assert [decision.reached for decision in made] == [False] * 2 + [True] * 2
    assert [bool(decision.action.any()) for decision in made] == [True] * 2 + [False] * 2


def test_what_the_critic_finds_far_is_not_reached() -> None:
    made = with_reach(1e9)
    critic_says(made.parts, -10.0)
    agent = make_agent(made, "full")
    agent.set_goal(picture(1))
    assert not any(agent.decide(seen(1), STILL).reached for _ in range(20))


def test_what_differs_by_more_than_a_block_from_the_goal_is_not_reached() -> None:
    away = apart()
    assert away > 0.0
    assert says_done(1.01 * away, [2] * 4) == [False] * 2 + [True] * 2
    assert says_done(0.99 * away, [2] * 6) == [False] * 6
    assert says_done(0.99 * away, [2, 1, 1, 2, 1, 1, 1]) == [False] * 6 + [True]


def test_a_new_goal_begins_to_count_anew() -> None:
    agent = make_agent(with_reach(1e9), "hold")
    agent.set_goal(picture(1))
    for _ in range(2):
        agent.decide(seen(2), STILL)
    agent.set_goal(picture(3))
    assert [agent.decide(seen(2), STILL).reached for _ in range(3)] == [False] * 2 + [True]


def test_it_decides_for_the_end_of_the_block_that_runs() -> None:
    agent = make_agent(with_reach(-1.0), "actor-only")
    agent.set_goal(picture(1))
    still, moving = (agent.decide(seen(2), np.array(done)) for done in ([0.0, 0.0], [1.0, -1.0]))
    assert not np.array_equal(still.action, moving.action)
    assert still.distance == moving.distance  # how far it is now does not depend on where it is going


def test_what_was_seen_a_block_ago_matters_to_a_context_of_two_alone() -> None:
    for config, differs in ((CONFIG, False), (OF_TWO, True)):
        made = trained(config=config)
        agent = make_agent(
            TrainedModel(msgspec.structs.replace(made.card, block_change=-1.0), made.parts), "actor-only"
        )
        imagined = []
        for earlier in (3, 4):
            agent.set_goal(picture(1))
            agent.decide(seen(earlier), STILL)
            found = agent.decide(seen(2), STILL).imagined
            assert found is not None
            imagined.append(found)
        assert torch.equal(*imagined) != differs


def test_it_draws_what_it_imagines() -> None:
    agent = make_agent(with_reach(-1.0))
    agent.set_goal(picture(1))
    imagined = agent.decide(seen(2), STILL).imagined
    assert imagined is not None
    drawn = agent.draw(imagined[-1])
    assert drawn.shape == (32, 32, 3) and drawn.dtype == np.uint8


def test_of_several_goals_each_counts_until_it_was_seen_and_the_last_ends_it() -> None:
    agent = make_agent(with_reach(1e-6), "hold")
    agent.set_goals([picture(2), picture(3), picture(1)])
    made = [agent.decide(seen(index), STILL) for index in (9, 2, 9, 3, 2, 1, 1, 1)]
    assert [decision.remaining_subgoals for decision in made] == [2, 1, 1, 0, 0, 0, 0, 0]
    assert [decision.reached for decision in made] == [False] * 7 + [True]
    assert made[-1].finished_subgoals == (SubgoalResult(2, True), SubgoalResult(2, True))
    # As soon as one is behind, the distance is that to the next.
    alone = make_agent(with_reach(1e-6), "hold")
    alone.set_goal(picture(3))
    assert made[1].distance == alone.decide(seen(2), STILL).distance


def test_goals_that_are_none_or_of_another_size_are_refused() -> None:
    agent = make_agent(trained(), "hold")
    with pytest.raises(GoalError, match="at least one"):
        agent.set_goals([])
    with pytest.raises(GoalError, match="this model sees"):
        agent.set_goals([picture(1), np.zeros((16, 16, 3), np.uint8)])


def remembering(places: list[int]) -> TrainedModel:
    """A model that remembers what some pictures look like, and takes every edge for half of what it dares to."""
    made = with_reach(1e-6)
    latents = made.parts.model.encode(torch.from_numpy(np.stack([picture(place) for place in places])))
    marks = Landmarks(CONFIG, HeadsConfig(0.9, landmarks=len(places)))
    marks.choose(latents.detach(), torch.zeros(len(places), CONFIG.proprio), 0)
    return TrainedModel(made.card, dataclasses.replace(made.parts, landmarks=marks))


def _alike(latent: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two latents are of one picture; encoded among others it comes out a little differently."""
    return torch.allclose(latent, other, rtol=0.0, atol=1e-4)


def test_its_own_sub_goals_are_states_that_it_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    model = remembering([5, 6])
    code = {place: model.parts.model.encode(torch.from_numpy(picture(place)[None]))[0] for place in (1, 2, 5, 6)}

    def far(
        latent: torch.Tensor, proprio: torch.Tensor, goal: torch.Tensor, wanted: torch.Tensor | None
    ) -> torch.Tensor:
        """From 2 to 5 to 1 it is near; everywhere else it is far."""
        near = [(2, 5), (5, 1)]
        return torch.tensor(
            [
                5.0 if any(_alike(a, code[s]) and _alike(b, code[e]) for s, e in near) else 100.0
                for a, b in zip(latent, goal, strict=True)
            ]
        )

    monkeypatch.setattr(model.parts.critic, "distance", far)
    agent = make_agent(model, "hold", subgoals="auto")
    agent.set_goal(picture(1))
    made = [agent.decide(seen(place), STILL) for place in (2, 5, 9)]
    assert [decision.remaining_subgoals for decision in made] == [1, 0, 0]
    assert made[-1].finished_subgoals == (SubgoalResult(2, True),)
    direct = make_agent(model, "hold")
    direct.set_goal(picture(1))
    assert direct.decide(seen(2), STILL).remaining_subgoals == 0


def test_a_model_that_remembers_nothing_cannot_find_sub_goals() -> None:
    with pytest.raises(CheckpointError, match="has no landmarks, so --subgoals auto is impossible"):
        make_agent(trained(), subgoals="auto")
