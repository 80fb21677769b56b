"""A thing that was left out of its place: when it becomes the only goal, and until when."""

from __future__ import annotations

import math

import pytest
import torch

from control.decision_config import GoalDetectionConfig, SubgoalConfig
from control.goals.goal_sequence import GoalSequence
from control.goals.going_back import GoingBack
from control.goals.latent_goal import LatentGoal
from perception.model.entities.layout import TokenLayout

LIMITS = SubgoalConfig(left_after=2, left_near=3.0, left_below=0.5)
BLOCK_CHANGE = 0.1
PLACES = torch.tensor([[1.0, 0.5, 0.0], [-1.0, 0.5, 0.0]])
GOAL = LatentGoal(PLACES.flatten(), layout=TokenLayout(2, 1), things={"red": torch.eye(2)[0], "blue": torch.eye(2)[1]})


def followed(course: list[tuple[tuple[str, ...], float]], difference: float = math.inf) -> list[str]:
    """The things that are gone back to in a course of pictures, each with what is out of place and the distance."""
    back = GoingBack(LIMITS, BLOCK_CHANGE)
    goals = [back.update(GOAL, out, distance, difference) for out, distance in course]
    return ["" if goal is None else ",".join(goal.things) for goal in goals]


@pytest.mark.parametrize(
    ("course", "back_to"),
    [
        ([(("red",), 1.0)] * 3, ["", "red", "red"]),
        ([(("red",), 9.0)] * 3, ["", "", ""]),
        ([((), 1.0)] * 3, ["", "", ""]),
        ([(("red",), 1.0), ((), 1.0), (("red",), 1.0)], ["", "", ""]),
        ([(("red",), 1.0), (("red",), 1.0), (("red",), 9.0), ((), 9.0)], ["", "red", "red", ""]),
        ([(("red", "blue"), 1.0), (("red", "blue"), 1.0), (("blue",), 9.0)], ["", "red", "blue"]),
    ],
    ids=["left", "still far", "in place", "in between", "carried", "two"],
)
def test_what_is_gone_back_to(course: list[tuple[tuple[str, ...], float]], back_to: list[str]) -> None:
    assert followed(course) == back_to


def test_what_looks_like_the_goal_is_near_it_whatever_the_critic_says() -> None:
    course = [(("red",), 12.0)] * 3
    assert followed(course, 0.04) == ["", "red", "red"]
    assert followed(course, 0.06) == ["", "", ""]


def test_with_another_goal_it_begins_anew() -> None:
    back = GoingBack(LIMITS, BLOCK_CHANGE)
    for _ in range(2):
        found = back.update(GOAL, ["red"], 1.0, 0.0)
    assert found is not None
    back.forget()
    assert back.update(GOAL, ["red"], 1.0, 0.0) is None


def test_a_sequence_then_wants_nothing_else_and_searches_as_if_far_away() -> None:
    way = GoalSequence([GOAL], 1.0, 5, GoalDetectionConfig(), GoingBack(LIMITS, BLOCK_CHANGE))
    left = PLACES.clone()
    left[0, 0] += 0.3  # the red thing is 3 cm off
    for _ in range(2):
        assert not way.update(left.flatten(), lambda goal: 1.0)
    assert way.goal.wanted is not None and way.goal.wanted.tolist() == [1.0, 0.0]
    assert way.difference == math.inf and way.out_of_place == ("red",)
    way.update(PLACES.flatten(), lambda goal: 1.0)
    assert way.goal is GOAL and way.difference == 0.0
    plain = GoalSequence([GOAL], 1.0, 5, GoalDetectionConfig())
    for _ in range(4):
        plain.update(left.flatten(), lambda goal: 1.0)
    assert plain.goal is GOAL
