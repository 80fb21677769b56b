from __future__ import annotations

import msgspec
import numpy as np
import pytest

from control.agent import METHODS, Agent, Decision, Method
from control.trained import TrainedModel
from robot.errors import GoalError
from tests.tiny import CONFIG, picture, trained

STATE = np.zeros(CONFIG.proprio)
STILL = np.zeros(CONFIG.action)


def with_reach(blocks: float) -> TrainedModel:
    """A model that takes a goal for reached at that critic's distance."""
    made = trained()
    return TrainedModel(msgspec.structs.replace(made.card, reached_blocks=blocks), made.parts)


def decisions(method: Method, seed: int = 0, model: TrainedModel | None = None, count: int = 3) -> list[Decision]:
    agent = Agent(model or with_reach(-1.0), method, seed)
    agent.set_goal(picture(1))
    return [agent.decide(picture(2 + index), STATE, STILL) for index in range(count)]


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
    agent = Agent(with_reach(-1.0), method)
    towards = []
    for goal in (1, 2, 1):
        agent.set_goal(picture(goal))
        towards.append(np.stack([agent.decide(picture(3 + index), STATE, STILL).action for index in range(3)]))
    np.testing.assert_array_equal(towards[0], towards[2])
    # An untrained model's costs hardly tell goals apart, so only methods without a search must differ between them.
    if method in ("hold", "random", "actor-only"):
        assert np.array_equal(towards[0], towards[1]) == (method == "hold")


def test_hold_holds_and_random_does_not() -> None:
    assert not any(made.action.any() for made in decisions("hold"))
    assert all(made.action.any() for made in decisions("random"))


def test_without_a_goal_it_does_not_decide() -> None:
    with pytest.raises(GoalError, match="set_goal"):
        Agent(trained()).decide(picture(), STATE, STILL)


@pytest.mark.parametrize("shape", [(32, 48, 3), (16, 16, 3), (64, 64, 3)])
def test_a_goal_of_another_size_is_refused_and_the_old_one_stays(shape: tuple[int, ...]) -> None:
    agent = Agent(with_reach(-1.0), "actor-only")
    agent.set_goal(picture(1))
    before = agent.decide(picture(2), STATE, STILL)
    with pytest.raises(GoalError, match="this model sees"):
        agent.set_goal(np.zeros(shape, np.uint8))
    np.testing.assert_array_equal(agent.decide(picture(2), STATE, STILL).action, before.action)


def says_done(reached_blocks: float, seen: list[int]) -> list[bool]:
    """Whether an agent content at `reached_blocks` says done at each of the pictures seen."""
    agent = Agent(with_reach(reached_blocks), "hold")
    agent.set_goal(picture(1))
    return [agent.decide(picture(index), STATE, STILL).reached for index in seen]


def farthest() -> tuple[int, float]:
    """A picture that is some way off the goal, and how far."""
    distances = [made.distance for made in decisions("hold", count=4)]
    assert max(distances) > 0.0
    return 2 + int(np.argmax(distances)), max(distances)


def test_reached_needs_to_be_seen_four_times_and_stops_the_arm() -> None:
    made = decisions("full", model=with_reach(1e9), count=5)
    assert [decision.reached for decision in made] == [False] * 3 + [True] * 2
    assert [bool(decision.action.any()) for decision in made] == [True] * 3 + [False] * 2


def test_a_little_farther_off_it_needs_to_be_seen_seven_times() -> None:
    seen, far = farthest()
    assert says_done(0.6 * far, [seen] * 8) == [False] * 6 + [True] * 2
    assert says_done(0.3 * far, [seen] * 9) == [False] * 9


def test_every_glimpse_of_something_else_counts_against_it() -> None:
    seen, far = farthest()
    nearest = min((made.distance, 2 + index) for index, made in enumerate(decisions("hold", count=4)))
    half = max(nearest[0], 0.1 * far)
    assert far > 3.0 * half, "the pictures must differ for this test to mean something"
    near = nearest[1]
    assert says_done(half, [near, near, near, seen, seen, near, near]) == [False] * 6 + [True]
    assert says_done(half, [seen, near, seen, near, seen, near]) == [False] * 6


def test_a_new_goal_begins_to_count_anew() -> None:
    agent = Agent(with_reach(1e9), "hold")
    agent.set_goal(picture(1))
    for _ in range(3):
        agent.decide(picture(2), STATE, STILL)
    agent.set_goal(picture(3))
    assert [agent.decide(picture(2), STATE, STILL).reached for _ in range(4)] == [False] * 3 + [True]


def test_it_decides_for_the_end_of_the_block_that_runs() -> None:
    agent = Agent(with_reach(-1.0), "actor-only")
    agent.set_goal(picture(1))
    still, moving = (agent.decide(picture(2), STATE, np.array(done)) for done in ([0.0, 0.0], [1.0, -1.0]))
    assert not np.array_equal(still.action, moving.action)
    assert still.distance == moving.distance  # how far it is now does not depend on where it is going


def test_it_draws_what_it_imagines() -> None:
    agent = Agent(with_reach(-1.0))
    agent.set_goal(picture(1))
    imagined = agent.decide(picture(2), STATE, STILL).imagined
    assert imagined is not None
    drawn = agent.draw(imagined)
    assert drawn.shape == (32, 32, 3) and drawn.dtype == np.uint8
