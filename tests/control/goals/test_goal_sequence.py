from __future__ import annotations

import pytest
import torch

from control.decision_config import GoalDetectionConfig
from control.goals.goal_sequence import GoalSequence, SubgoalResult
from control.goals.latent_goal import LatentGoal
from perception.model.entities.layout import TokenLayout

GOALS = [torch.full((2,), 10.0 * number) for number in range(3)]
SEQUENCE = [LatentGoal(goal) for goal in GOALS]
FAR = torch.full((2,), -50.0)


def course(goals: int = 3, patience: int = 5) -> GoalSequence:
    return GoalSequence(SEQUENCE[:goals], block_change=1.0, patience=patience, detection=GoalDetectionConfig())


def here(goal: LatentGoal) -> float:
    """A critic that finds every goal near."""
    return 0.0


def which(course: GoalSequence) -> int:
    return int(course.goal.latent[0]) // 10


def test_a_sub_goal_that_was_seen_once_is_behind_for_good() -> None:
    way = course()
    assert (which(way), way.remaining, way.finished) == (0, 2, ())
    assert not way.update(FAR, here) and which(way) == 0
    assert not way.update(GOALS[0] + 0.5, here) and which(way) == 1
    assert not way.update(FAR, here) and which(way) == 1  # though the world no longer looks like the first
    assert way.finished == (SubgoalResult(2, True),) and way.remaining == 1


def test_what_is_not_reached_in_time_is_given_up_for_the_next() -> None:
    way = course(patience=3)
    for _ in range(3):
        assert which(way) == 0
        way.update(FAR, here)
    assert which(way) == 1 and way.finished == (SubgoalResult(3, False),)
    way.update(FAR, here)
    way.update(GOALS[1], here)
    assert way.finished == (SubgoalResult(3, False), SubgoalResult(2, True)), "each has its own time"


def test_no_goal_is_reached_while_one_of_its_things_is_out_of_its_place() -> None:
    places = torch.tensor([[1.0, 0.5, 0.0], [-1.0, 0.5, 0.0]])
    things = {"near": torch.tensor([1.0, 0.0]), "far": torch.tensor([0.0, 1.0])}
    goals = [LatentGoal(places.flatten(), None, TokenLayout(2, 1), things)] * 2
    detection = GoalDetectionConfig(same_place=0.2)
    way = GoalSequence(goals, block_change=10.0, patience=50, detection=detection)
    wide, narrow = (places + torch.tensor([[0.0, off, 0.0], [0.0, 0.0, 0.0]]) for off in (0.3, 0.1))
    assert not way.look(wide.flatten()) and not way.update(wide.flatten(), here)
    assert way.remaining == 1 and way.out_of_place == ("near",), "the difference alone would do"
    assert not way.update(narrow.flatten(), here) and way.remaining == 0
    assert not any(way.update(wide.flatten(), here) for _ in range(10)) and way.out_of_place == ("near",)
    assert any(way.update(narrow.flatten(), here) for _ in range(10)) and way.out_of_place == ()


def test_the_last_goal_is_never_given_up_and_must_be_reached_to_stay() -> None:
    way = course(goals=1, patience=2)
    assert not any(way.update(FAR, here) for _ in range(20))
    assert [way.update(GOALS[0], here) for _ in range(3)] == [False, False, True]
    assert way.finished == () and way.remaining == 0


def test_to_reach_a_sub_goal_is_not_to_be_done() -> None:
    way = course()
    assert not any(way.update(GOALS[number], here) for number in (0, 1))
    assert [way.update(GOALS[2], here) for _ in range(3)] == [False, False, True]


def test_one_picture_may_look_like_several_goals_at_once() -> None:
    way = GoalSequence(
        [SEQUENCE[0], LatentGoal(GOALS[0] + 0.1), SEQUENCE[2]],
        block_change=1.0,
        patience=5,
        detection=GoalDetectionConfig(),
    )
    way.update(FAR, here)
    way.update(GOALS[0], here)
    assert which(way) == 2 and way.finished == (SubgoalResult(2, True), SubgoalResult(0, True))


def test_without_a_goal_there_is_no_course() -> None:
    with pytest.raises(ValueError, match="needs a goal"):
        GoalSequence([], 1.0, 5, GoalDetectionConfig())


def test_how_far_it_is_is_asked_of_the_goal_that_counts_now() -> None:
    way = course(2)
    way.update(FAR, lambda goal: float(goal.latent[0]))
    assert way.distance == 0.0
    assert not any(way.update(GOALS[1], lambda goal: 50.0) for _ in range(20))  # alike, and yet far
    assert [way.update(GOALS[1], lambda goal: float(goal.latent[0]) - 10.0) for _ in range(3)] == [False, False, True]


def test_goals_that_are_true_before_anything_moves_are_reached_in_order() -> None:
    way = course()
    assert not way.look(GOALS[1]) and way.finished == ()  # the second is true, and the first comes before it
    assert not way.look(GOALS[0]) and way.finished == (SubgoalResult(0, True),)
    assert not way.look(GOALS[1]) and way.look(GOALS[2])


def test_what_is_only_near_a_goal_is_not_true_before_anything_moves() -> None:
    way = course(goals=1)
    sure = GoalDetectionConfig().sure
    assert not way.look(GOALS[0] + (1.1 * sure) ** 0.5)  # the detector would take it, once it no longer improves
    assert way.look(GOALS[0] + (0.9 * sure) ** 0.5)
