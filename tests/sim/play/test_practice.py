from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from control.agent import Agent
from control.goals.latent_goal import LatentGoal
from sim.play.practice import Practice
from sim.policies.tabletop_starts import random_start
from sim.tasks.environments import TABLETOP_PLAY, pretrained_for
from sim.world.cameras import tabletop_rig


class Asked:
    """An agent that keeps what it is asked for, and finds no yellow thing."""

    def __init__(self, agent: Agent) -> None:
        self.masks_goals = True
        self.goals: list[LatentGoal] = []
        self._agent = agent

    def latent_goals(self, pictures: Sequence[np.ndarray]) -> list[LatentGoal]:
        goals = self._agent.latent_goals(pictures)
        return [dataclasses.replace(goal, things=_but_yellow(goal.things)) for goal in goals]

    def set_latent_goals(self, goals: Sequence[LatentGoal], pictures: Sequence[np.ndarray]) -> None:
        assert pictures[0].shape == (128, 64, 3)
        self.goals += goals


def _but_yellow(things: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: mask for name, mask in things.items() if name != "yellow"}


def test_in_half_of_the_goals_one_thing_counts_that_is_elsewhere_and_seen() -> None:
    rng = np.random.default_rng(0)
    objects = random_start(rng, TABLETOP_PLAY.convention, 3).objects
    with closing(Practice(TABLETOP_PLAY, tabletop_rig(), pretrained_for("pick-place"))) as practice:
        assert all(agent.masks_goals for agent in practice.agents)
        asked: Any = Asked(practice.agents[0])
        for _ in range(60):
            practice.set_goal(asked, rng, objects)
        alone = [goal for goal in asked.goals if len(goal.things) == 1]
        asked.masks_goals = False
        practice.set_goal(asked, rng, objects)
    assert len(asked.goals) == 61 and set(asked.goals[-1].things) == {"red", "blue"}
    assert 10 <= len(alone) <= 30, "a thing that is not found counts with all others"
    assert {tuple(goal.things) for goal in alone} == {("red",), ("blue",)}
    assert all(goal.wanted is not None and torch.equal(goal.wanted, *goal.things.values()) for goal in alone)
