from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np

from robot.errors import ThingNotFound
from sim.play.practice import Practice
from sim.policies.tabletop_starts import random_start
from sim.tasks.environments import TABLETOP_PLAY, pretrained_for
from sim.world.cameras import tabletop_rig


class Asked:
    """An agent that keeps what it is asked for, and finds no yellow thing."""

    masks_goals = True

    def __init__(self) -> None:
        self.only: list[Sequence[str]] = []

    def set_goals(self, pictures: Sequence[np.ndarray], only: Sequence[str] = ()) -> None:
        assert pictures[0].shape == (128, 64, 3)
        if "yellow_cylinder" in only:
            raise ThingNotFound("nothing yellow is in the picture")
        self.only.append(only)

    def set_goal(self, picture: np.ndarray) -> None:
        self.set_goals([picture])


def test_in_half_of_the_goals_one_thing_counts_that_is_elsewhere_and_seen() -> None:
    asked: Any = Asked()
    rng = np.random.default_rng(0)
    objects = random_start(rng, TABLETOP_PLAY.convention, 3).objects
    with closing(Practice(TABLETOP_PLAY, tabletop_rig(), pretrained_for("pick-place"))) as practice:
        assert all(agent.masks_goals for agent in practice.agents)
        for _ in range(60):
            practice.set_goal(asked, rng, objects)
        asked.masks_goals, alone = False, [only for only in asked.only if only]
        practice.set_goal(asked, rng, objects)
    assert len(asked.only) == 61 and not asked.only[-1], "a thing that is not found counts with all others"
    assert 10 <= len(alone) <= 30 and {len(only) for only in alone} == {1}
    assert {only[0] for only in alone} == {"red_cube", "blue_box"}
