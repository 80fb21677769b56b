from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from control.decision_config import GoalDetectionConfig
from control.goals.goal_detector import GoalDetector, block_change

USUAL = GoalDetectionConfig()
NEAR, PROGRESS, SETTLED, SURE = USUAL.near, USUAL.progress, USUAL.settled, USUAL.sure


def seen(*differences: float, block_change: float = 1.0, doubting: int = SETTLED, blocks: float = 0.0) -> list[bool]:
    """What is said at each of these pictures."""
    detector = GoalDetector(block_change, GoalDetectionConfig(doubting=doubting))
    return [detector.update(difference, blocks) for difference in differences]


def test_a_block_changes_what_nine_in_ten_neighbours_differ_by_at_most() -> None:
    # Steps of 0.01, 0.02 ... 1 from frame to frame of the second episode.
    places = torch.cat([100.0 * torch.arange(11), torch.zeros(1), (torch.arange(1, 101) / 100).cumsum(0)])
    latents = torch.stack([places, torch.zeros(112)], dim=1)
    starts, lengths = np.array([0, 11]), np.array([11, 101])
    assert block_change(latents, starts[1:], lengths[1:]) == pytest.approx(0.9**2 / 2, rel=0.01)
    # The step from one episode to the next does not count.
    assert block_change(latents, starts[:1], lengths[:1]) == pytest.approx(100.0**2 / 2)


def test_a_world_that_stays_as_near_as_a_block_is_there_at_the_third_picture() -> None:
    assert seen(1.0, 1.0, 1.0, 1.0) == [False, False, True, True]
    assert seen(0.0, 0.0, 0.0) == [False, False, True]


def test_one_that_stays_a_little_farther_off_never_is() -> None:
    assert not any(seen(*[1.01] * 50))
    assert not any(seen(*[float("nan")] * 50, block_change=1e9))


def test_what_looks_alike_is_not_reached_while_the_critic_says_that_it_is_far() -> None:
    assert not any(seen(*[0.0] * 50, blocks=1.01 * NEAR))
    assert not any(seen(*[0.0] * 50, blocks=float("nan")))
    assert seen(0.0, 0.0, 0.0, blocks=NEAR) == [False, False, True]


def test_an_arm_on_its_way_is_not_taken_for_one_that_has_arrived() -> None:
    coming = [0.9 * (0.9 * PROGRESS) ** step for step in range(20)]
    assert not any(seen(*coming))
    assert seen(*coming, coming[-1], coming[-1])[-1]


def test_where_there_is_doubt_it_takes_longer() -> None:
    doubtful, sure = 1.01 * SURE, 0.99 * SURE
    assert seen(*[doubtful] * 7, doubting=5) == [False] * 5 + [True] * 2
    assert seen(*[sure] * 4, doubting=5) == [False, False, True, True]
    assert seen(*[doubtful] * 4, sure, doubting=5) == [False] * 4 + [True]


def test_one_picture_farther_off_and_it_begins_anew() -> None:
    assert seen(0.5, 0.5, 2.0, 0.5, 0.5, 0.5) == [False, False, False, False, False, True]


@given(
    st.lists(st.floats(0.0, 2.0), max_size=60),
    st.lists(st.floats(0.0, 1.0), min_size=SETTLED + 1, max_size=SETTLED + 1),
)
def test_it_is_said_only_near_the_goal_and_not_before_three_pictures(before: list[float], after: list[float]) -> None:
    differences = [*before, *after]
    said = seen(*differences)
    for number, reached in enumerate(said):
        if reached:
            assert number >= SETTLED and max(differences[number - SETTLED : number + 1]) <= 1.0


def test_what_was_seen_of_another_goal_is_forgotten() -> None:
    detector = GoalDetector(1.0, USUAL)
    assert [detector.update(0.5, 0.0) for _ in range(3)][-1]
    detector.reset()
    assert [detector.update(0.5, 0.0) for _ in range(3)] == [False, False, True]


def test_each_of_its_constants_is_a_setting() -> None:
    def said(config: GoalDetectionConfig, *differences: float, blocks: float = 0.0) -> list[bool]:
        detector = GoalDetector(1.0, config)
        return [detector.update(difference, blocks) for difference in differences]

    assert said(GoalDetectionConfig(settled=1, doubting=1), 0.5, 0.5) == [False, True]
    assert said(GoalDetectionConfig(near=9.0), 0.5, 0.5, 0.5, blocks=8.0)[-1]
    assert said(GoalDetectionConfig(progress=0.0), 0.5, 0.1, 0.02)[-1]
    assert said(GoalDetectionConfig(sure=0.6, doubting=9), 0.5, 0.5, 0.5)[-1]
