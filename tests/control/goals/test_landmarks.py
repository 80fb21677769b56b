from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from control.goals.landmarks import Graph, Landmarks
from control.goals.latent_goal import LatentGoal
from control.policy.critic import Critic
from perception.checkpoint.card import HeadsConfig
from tests.tiny import HEADS, sized

REACH = 12.0


class Ruler(Critic):
    """Knows the way on a line of latents: as many blocks as they differ in their first entry; but never back."""

    def distance(self, latent: Tensor, proprio: Tensor, goal: Tensor, wanted: Tensor | None = None) -> Tensor:
        way = goal[..., 0] - latent[..., 0]
        return torch.where(way >= 0, way, torch.tensor(1000.0))


def ruler() -> Critic:
    return Ruler(sized(2, 1), HEADS)


def at(*places: float) -> Tensor:
    return torch.tensor([[place, 0.0] for place in places])


def unchosen(count: int) -> Landmarks:
    return Landmarks(sized(2, 1), HeadsConfig(0.9, landmarks=count))


def landmarks(*places: float) -> Landmarks:
    made = unchosen(len(places))
    made.latent.copy_(at(*places))
    return made


def path(marks: Landmarks, start: float, goal: float) -> list[float]:
    way = Graph(ruler(), marks, REACH, 1.0).path(at(start)[0], torch.zeros(1), LatentGoal(at(goal)[0]))
    return [float(place.latent[0]) for place in way]


def test_a_goal_within_reach_needs_no_sub_goals() -> None:
    assert path(landmarks(0.0, 5.0, 10.0), 0.0, 12.0) == []


def test_a_far_goal_is_reached_by_the_fewest_edges_that_the_critic_can_be_trusted_with() -> None:
    way = path(landmarks(*range(0, 40, 2)), 0.0, 34.0)
    assert 2 <= len(way) <= 3
    stops = [0.0, *way, 34.0]
    assert all(0 < later - earlier <= REACH for earlier, later in pairwise(stops))


def test_where_no_way_is_known_there_are_none() -> None:
    assert path(landmarks(0.0, 5.0, 30.0), 0.0, 34.0) == [], "a gap that is too wide"
    assert path(landmarks(20.0, 10.0), 30.0, 0.0) == [], "only forward"
    assert path(unchosen(0), 0.0, 34.0) == []


def test_landmarks_are_spread_over_what_was_seen() -> None:
    torch.manual_seed(0)
    crowd = torch.cat([0.01 * torch.randn(500, 2), torch.tensor([[5.0, 0.0], [0.0, 5.0], [-5.0, 0.0]])])
    marks = unchosen(4)
    marks.choose(crowd, crowd[:, :1], seed=3)
    corners = {(round(float(x)), round(float(y))) for x, y in marks.latent}
    assert corners == {(0, 0), (5, 0), (0, 5), (-5, 0)}
    torch.testing.assert_close(marks.proprio[:, 0], marks.latent[:, 0])
    again = unchosen(4)
    again.choose(crowd, crowd[:, :1], seed=3)
    torch.testing.assert_close(again.latent, marks.latent)


@pytest.mark.parametrize(("count", "kept"), [(0, []), (3, ["latent", "proprio"])])
def test_only_landmarks_that_there_are_belong_to_a_checkpoint(count: int, kept: list[str]) -> None:
    assert sorted(unchosen(count).state_dict()) == kept


def test_what_does_not_matter_in_a_goal_matters_in_no_sub_goal() -> None:
    wanted = torch.tensor([1.0, 0.0])
    goal = LatentGoal(at(20.0)[0], wanted)
    way = Graph(ruler(), landmarks(0.0, 5.0, 10.0), REACH, 1.0).path(at(0.0)[0], torch.zeros(1), goal)
    assert way and all(step.wanted is wanted for step in way)
