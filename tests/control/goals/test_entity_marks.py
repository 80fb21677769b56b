from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from control.goals.entity_marks import NAMED_EVERY, EntityMarker
from control.goals.latent_goal import LatentGoal
from control.interfaces import SeesEntities
from control.policies import make_agent
from perception.model.entities.places import places_from
from perception.model.world_model import WorldModel
from robot.embodiment.observation import Observation
from robot.wire.entity_mark import EntityMark, Points
from robot.wire.limits import MAX_PATH
from tests.tiny import CAMERA, ENTITIES_OF_THREE, parts, trained

RIG_OF_TWO = msgspec.structs.replace(ENTITIES_OF_THREE, views=2, height=64, latent=3 * (8 + 6))
COLOURS = {"red": (217, 26, 26), "blue": (31, 64, 217)}
SIDE = 32
Middle = tuple[int, int]


class ByColour(torch.nn.Module):
    """An encoder with three tokens, what is red, what is blue, and the rest, each with its places."""

    frames, keypoints, entities = 1, 0, 3

    def __init__(self, views: int) -> None:
        super().__init__()
        self.picture, self.views, self.latent, self.asked = (SIDE, SIDE), views, 3 * (8 + 3 * views), 0

    def attention(self, clips: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return self._shares(clips)

    def look(self, clips: torch.Tensor) -> tuple[torch.Tensor, None]:
        places = places_from(self._shares(clips)).flatten(2)
        return torch.cat([places.new_zeros(*places.shape[:2], 8), places], dim=-1).flatten(1), None

    def _shares(self, clips: torch.Tensor) -> torch.Tensor:
        cells = clips[:, -1].unflatten(1, (self.views, SIDE)).float()
        red, blue = (cells[..., at] > 150 for at in (0, 2))
        return torch.stack([red, blue, ~(red | blue)], dim=1).float()


def seeing(views: int = 1) -> tuple[WorldModel, ByColour]:
    model, encoder = parts(config=RIG_OF_TWO if views == 2 else ENTITIES_OF_THREE).model, ByColour(views)
    model.encoder = encoder  # type: ignore[assignment]
    return model, encoder


def picture(*views: dict[str, Middle]) -> np.ndarray:
    """Stacked views with squares of 6 pixels, whose middles are these: pixels across and down."""
    made = np.full((len(views) * SIDE, SIDE, 3), 120, np.uint8)
    for view, squares in zip(np.split(made, len(views)), views, strict=True):
        for colour, (across, down) in squares.items():
            view[down - 3 : down + 3, across - 3 : across + 3] = COLOURS[colour]
    return made


def latent(model: WorldModel, shown: np.ndarray) -> torch.Tensor:
    return model.encode(torch.from_numpy(shown[None]))[0]


def assert_at(points: Points, *expected: Middle | None) -> None:
    assert [None if place is None else tuple(round(each, 3) for each in place) for place in points] == list(expected)


NOW, GOAL = picture({"red": (8, 10), "blue": (20, 24)}), picture({"red": (28, 5), "blue": (20, 25)})


def marked(
    model: WorldModel, now: np.ndarray = NOW, *plan: np.ndarray, wanted: list[int] | None = None
) -> list[EntityMark]:
    """The marks of things in `now`, with `GOAL` as the goal and the latents of `plan` as what is imagined."""
    marker = EntityMarker(model)
    goal = LatentGoal(latent(model, GOAL), None if wanted is None else torch.tensor(wanted))
    marker.begin([goal], [GOAL])
    imagined = torch.stack([latent(model, each) for each in plan]) if plan else None
    return list(marker.marks(now, latent(model, now), imagined, goal))


def test_each_thing_has_a_name_and_its_places_now_imagined_and_wanted() -> None:
    model, _ = seeing()
    way = [picture({"red": (14, 8), "blue": (20, 24)}), picture({"red": (21, 6), "blue": (20, 24)})]
    red, blue = marked(model, NOW, *way)
    assert (red.name, blue.name) == ("red", "blue")
    assert red.colour[0] > 2 * max(red.colour[1:]) and blue.colour[2] > 2 * max(blue.colour[:2])
    assert_at(red.now, (8, 10))
    assert_at(red.wanted, (28, 5))
    for place, expected in zip(red.path, [(14, 8), (21, 6)], strict=True):
        assert_at(place, expected)
    assert_at(blue.wanted, (20, 25))
    assert [mark.path for mark in marked(model)] == [(), ()]


def test_in_a_rig_each_view_has_its_own_place_and_none_where_a_thing_is_hidden() -> None:
    model, _ = seeing(views=2)
    now = picture({"red": (8, 10)}, {"red": (25, 6), "blue": (12, 20)})
    goal = picture({"red": (10, 10), "blue": (20, 5)}, {"blue": (12, 22)})
    marker, wanted = EntityMarker(model), LatentGoal(latent(model, goal))
    marker.begin([wanted], [goal])
    blue, red = sorted(marker.marks(now, latent(model, now), None, wanted), key=lambda mark: mark.name)
    assert_at(red.now, (8, 10), (25, SIDE + 6))
    assert_at(red.wanted, (10, 10), None)
    assert_at(blue.now, None, (12, SIDE + 20))
    assert_at(blue.wanted, (20, 5), (12, SIDE + 22))


def test_what_does_not_matter_is_not_wanted_anywhere() -> None:
    red, blue = marked(seeing()[0], NOW, wanted=[0, 1, 1])
    assert red.wanted == ()
    assert_at(blue.wanted, (20, 25))


def test_what_the_goal_does_not_show_is_not_wanted_anywhere() -> None:
    model, _ = seeing()
    marker, goal = EntityMarker(model), picture({"blue": (9, 9)})
    wanted = LatentGoal(latent(model, goal))
    marker.begin([wanted], [goal])
    red, blue = marker.marks(NOW, latent(model, NOW), None, wanted)
    assert red.wanted == ()
    assert_at(blue.wanted, (9, 9))


def test_a_goal_that_was_put_together_from_tokens_needs_no_picture() -> None:
    model, _ = seeing()
    marker = EntityMarker(model)
    marker.begin([], [])
    red, blue = marker.marks(NOW, latent(model, NOW), None, LatentGoal(latent(model, GOAL)))
    assert_at(red.wanted, (28, 5))
    assert_at(blue.wanted, (20, 25))


def test_things_that_come_and_go_are_named_after_a_few_blocks_and_not_at_each() -> None:
    model, encoder = seeing()
    marker, goal = EntityMarker(model), LatentGoal(latent(model, GOAL))
    marker.begin([goal], [GOAL])
    names = []
    for block in range(2 * NAMED_EVERY):
        now = NOW if block == 0 else picture({"blue": (20, 24)})
        names.append([mark.name for mark in marker.marks(now, latent(model, now), None, goal)])
    assert names == [["red", "blue"]] * NAMED_EVERY + [["blue"]] * NAMED_EVERY
    assert encoder.asked == 3, "twice for what is seen, and once for the goal"


def test_a_plan_that_leads_out_of_the_picture_or_is_long_stays_within_what_is_sent() -> None:
    model, _ = seeing()
    marker, goal = EntityMarker(model), LatentGoal(latent(model, GOAL))
    marker.begin([goal], [GOAL])
    plan = 1e30 * torch.ones(MAX_PATH + 5, ENTITIES_OF_THREE.latent)
    for mark in marker.marks(NOW, latent(model, NOW), plan, goal):
        assert len(mark.path) == MAX_PATH
        assert_at(mark.path[-1], (SIDE, SIDE))


@pytest.mark.parametrize("method", ["full", "actor-only"])
def test_an_agent_says_where_it_sees_things_and_where_its_plan_takes_them(method: str) -> None:
    made = trained(config=ENTITIES_OF_THREE)
    made.parts.model.encoder = ByColour(1)  # type: ignore[assignment]
    agent = make_agent(made, method)  # type: ignore[arg-type]
    agent.set_goal(GOAL)
    decision = agent.decide(
        Observation({CAMERA.name: NOW}, np.zeros(ENTITIES_OF_THREE.proprio), 0), np.zeros(ENTITIES_OF_THREE.action)
    )
    assert isinstance(agent, SeesEntities) and decision.imagined is not None
    marks = agent.entities(decision)
    assert [mark.name for mark in marks] == ["red", "blue"]
    assert {len(mark.path) for mark in marks} == {len(decision.imagined)}
    assert_at(marks[0].now, (8, 10))


def test_a_token_of_the_ground_that_takes_a_few_coloured_pixels_is_not_called_by_their_colour() -> None:
    model, _ = seeing()
    now = picture({"red": (8, 10), "blue": (20, 24)})
    now[28:30, 2:8] = (30, 140, 60)
    names = [mark.name for mark in marked(model, now)]
    assert names == ["red", "blue"]


def test_a_model_that_does_not_see_things_apart_marks_none() -> None:
    agent = make_agent(trained(), "full")
    agent.set_goal(GOAL)
    decision = agent.decide(Observation({CAMERA.name: NOW}, np.zeros(7), 0), np.zeros(2))
    assert agent.entities(decision) == ()
