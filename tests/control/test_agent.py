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


def test_reached_needs_to_be_seen_twice_in_a_row_and_stops_the_arm() -> None:
    first, second, third = decisions("full", model=with_reach(1e9))
    assert [first.reached, second.reached, third.reached] == [False, True, True]
    assert first.action.any() and not second.action.any() and not third.action.any()


def test_a_little_farther_off_it_needs_to_be_seen_four_times_in_a_row() -> None:
    far, seen = max((made.distance, 2 + index) for index, made in enumerate(decisions("hold", count=2)))
    agent = Agent(with_reach(0.6 * far), "hold")
    agent.set_goal(picture(1))
    assert [agent.decide(picture(seen), STATE, STILL).reached for _ in range(5)] == [False, False, False, True, True]
    farther = Agent(with_reach(0.4 * far), "hold")
    farther.set_goal(picture(1))
    assert not any(farther.decide(picture(seen), STATE, STILL).reached for _ in range(8))


def test_a_glimpse_of_the_goal_does_not_count() -> None:
    one, other = (made.distance for made in decisions("hold", count=2))
    near, far = (picture(2), picture(3)) if one < other else (picture(3), picture(2))
    half = (one + other) / 4  # the far one lies beyond twice of it
    needed = 2 if min(one, other) <= half else 4
    agent = Agent(with_reach(half), "hold")
    agent.set_goal(picture(1))
    glimpses = [*[near] * (needed - 1), far, *[near] * needed]
    assert [agent.decide(seen, STATE, STILL).reached for seen in glimpses] == [False] * (len(glimpses) - 1) + [True]


def test_a_new_goal_begins_to_count_anew() -> None:
    agent = Agent(with_reach(1e9), "hold")
    agent.set_goal(picture(1))
    agent.decide(picture(2), STATE, STILL)
    agent.set_goal(picture(3))
    assert [agent.decide(picture(2), STATE, STILL).reached for _ in range(2)] == [False, True]


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
