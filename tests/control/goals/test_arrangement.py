"""One thing after another: which place is the goal, what is gone back to, and what is given up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from control.decision_config import GoalDetectionConfig, SubgoalConfig
from control.goals.arrangement import Arrangement
from control.goals.latent_goal import LatentGoal
from perception.model.entities.layout import TokenLayout

NEAR, FAR, ARM = 0, 1, 2
"""Tokens that are places in one view; the critic says that the first is nearer than the second."""
FINAL = LatentGoal(
    torch.tensor([[1.0, 0.5, 0.0], [-1.0, 0.5, 0.0], [0.5, -1.0, 0.0]]).flatten(),
    layout=TokenLayout(3, 1),
    things={"far": torch.eye(3)[FAR], "near": torch.eye(3)[NEAR]},
)
DETECTION = GoalDetectionConfig()


def arrangement(patience: int = 5, placed_after: int = 1) -> Arrangement:
    return Arrangement(FINAL, 0.01, SubgoalConfig(patience=patience, placed_after=placed_after), DETECTION)


def blocks_to(goal: LatentGoal) -> float:
    return 1.0 if goal.wanted is None else 4.0 if bool(goal.wanted[NEAR]) else 9.0


def seen(near: bool, far: bool, arm: bool = False) -> Tensor:
    """A picture in which these are in their places."""
    places = torch.tensor([near, far, arm])[:, None]
    return torch.where(places, FINAL.latent.reshape(3, 3), torch.zeros(3, 3)).flatten()


def wanted(goals: Arrangement) -> list[int] | None:
    """The tokens that matter in the current goal; None when all do."""
    return None if goals.goal.wanted is None else goals.goal.wanted.nonzero().flatten().tolist()


def test_the_nearest_thing_comes_first_and_the_last_one_is_left_to_the_whole_goal() -> None:
    goals = arrangement()
    assert not goals.update(seen(False, False), blocks_to)
    assert (wanted(goals), goals.remaining, goals.distance) == ([NEAR], 1, 4.0)
    assert not goals.update(seen(True, False), blocks_to)
    assert (wanted(goals), goals.remaining, goals.distance) == (None, 0, 1.0)
    assert [(each.blocks, each.reached) for each in goals.finished] == [(1, True)]


def test_a_thing_that_is_displaced_again_is_gone_back_to() -> None:
    goals = arrangement()
    for near, far in ((False, False), (True, False), (True, True)):
        goals.update(seen(near, far), blocks_to)
    assert wanted(goals) is None
    goals.update(seen(False, False), blocks_to)
    assert wanted(goals) == [NEAR]


def test_a_thing_that_stays_out_of_place_comes_after_the_others_and_has_another_turn() -> None:
    goals = arrangement(patience=3)
    turns = []
    for _ in range(12):
        goals.update(seen(False, False), blocks_to)
        turns.append(wanted(goals))
    assert turns == [[NEAR]] * 4 + [[FAR]] * 4 + [[NEAR]] * 4
    assert [(each.blocks, each.reached) for each in goals.finished] == [(4, False)] * 2


def test_a_thing_that_comes_nearer_is_not_given_up() -> None:
    goals = arrangement(patience=3)
    for blocks in range(20, 5, -1):
        goals.update(seen(False, False), lambda goal, blocks=blocks: blocks)  # type: ignore[misc]
        assert not goals.finished


def test_a_thing_that_is_carried_past_its_place_is_not_left_there() -> None:
    goals = arrangement(placed_after=2)
    for near in (False, True, False, True):
        goals.update(seen(near, False), blocks_to)
        assert wanted(goals) == [NEAR] and not goals.finished
    goals.update(seen(True, False), blocks_to)
    assert [each.reached for each in goals.finished] == [True]


def test_what_is_in_its_place_is_to_stay_there() -> None:
    goals = three()
    goals.update(three_seen().flatten(), blocks_to)
    assert wanted(goals) == [1], "the one on the table comes first, although the critic calls the other one nearer"
    goals.update(three_seen(1).flatten(), blocks_to)
    assert wanted(goals) == [0, 1]


def test_what_stands_on_another_thing_is_moved_before_that_one() -> None:
    goals = three()
    on_it = three_seen()
    on_it[1], on_it[2] = torch.tensor([[0.0, 1.0, 0.0] * 2, [0.0, 0.5, 0.0] * 2])
    goals.update(on_it.flatten(), blocks_to)
    assert wanted(goals) == [2]
    on_it[1], on_it[2] = on_it[2].clone(), on_it[1].clone()
    goals = three()
    goals.update(on_it.flatten(), blocks_to)
    assert wanted(goals) == [1]


STACK = torch.tensor([[1.0, 0.5, 0.0] * 2, [1.0, 1.0, 0.0] * 2, [-1.0, 1.0, 0.0] * 2])
"""Tokens that are places in two views: the first thing on the second, and a third elsewhere."""


def three() -> Arrangement:
    things = {name: torch.eye(3)[number] for number, name in enumerate(("top", "bottom", "other"))}
    return Arrangement(
        LatentGoal(STACK.flatten(), None, TokenLayout(3, 2), things), 0.01, SubgoalConfig(placed_after=1), DETECTION
    )


def three_seen(*in_place: int) -> Tensor:
    """A picture with these things of `STACK` in their places, and the others side by side."""
    places = torch.tensor([[-1.0, -1.0, 0.0] * 2, [0.0, -1.0, 0.0] * 2, [1.0, -1.0, 0.0] * 2])
    places[list(in_place)] = STACK[list(in_place)]
    return places


def test_the_last_thing_that_is_left_out_of_place_becomes_the_only_goal_until_it_is_in_place() -> None:
    goals = arrangement()
    goals.update(seen(False, False), blocks_to)
    followed = []
    for _ in range(4):
        goals.update(seen(True, False), blocks_to)
        followed.append(wanted(goals))
    assert followed == [None, None, [FAR], [FAR]], "the critic sees one block to the whole goal"
    goals.update(seen(True, True), blocks_to)
    assert wanted(goals) is None


def test_it_is_reached_when_all_of_the_goal_is_and_not_before() -> None:
    goals = arrangement()
    declared = [goals.update(seen(*places), blocks_to) for places in [(False, False), (True, True), (True, True)]]
    assert not any(declared), "the arm is elsewhere"
    settled = [goals.update(FINAL.latent, blocks_to) for _ in range(4)]
    assert settled[-1] and not settled[0]


@pytest.mark.parametrize(("latent", "done"), [(FINAL.latent, True), (seen(True, True), False)])
def test_the_arm_at_rest_is_looked_at_as_with_any_goal(latent: Tensor, done: bool) -> None:
    assert arrangement().look(latent) == done


def test_with_one_thing_there_are_no_sub_goals() -> None:
    final = FINAL.of_things(["near"])
    one = Arrangement(final, 0.01, SubgoalConfig(patience=5), DETECTION)
    asked: list[LatentGoal] = []

    def asks(goal: LatentGoal) -> float:
        asked.append(goal)
        return 2.0

    one.update(seen(False, False), asks)
    assert one.goal is final and asked == [final]
