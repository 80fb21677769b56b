"""One held-out goal: the agent's goal pictures, and the ground truth for the success check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from robot.arm.interface import ObjectPose, Vector
from sim.policies.interface import Start
from sim.world.appearance import Appearance

Task = Literal["reach", "push", "grasp-lift", "pick-place", "stack-two"]
TASKS: tuple[Task, ...] = get_args(Task)

Level = Literal["clean", "no-arm", "shifted", "lit", "cluttered"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""The appearance of a goal. clean: like the training data; no-arm: without the arm in the picture; shifted: from a
camera moved by up to 2 cm along each axis and rotated by up to 3° about any axis; lit: under another lamp; cluttered:
among objects that no training data shows."""

Subgoals = Literal["none", "given", "auto"]
"""The sub-goals before the goal picture: none; given: pictures of the states before the goal; auto: found by the
agent."""

DRAWN_LEVELS: tuple[Level, ...] = ("shifted", "lit")
"""Levels with a moved camera or another light."""

TOLERANCE_M: Mapping[Task, float] = MappingProxyType(
    {"reach": 0.02, "push": 0.03, "grasp-lift": 0.05, "pick-place": 0.03, "stack-two": 0.03}
)
# Heights count more, so that an object beside a flat one does not count as stacked on it.
HEIGHT_WEIGHT = 3.0


@dataclass(frozen=True)
class Goal:
    """The start, and the goal pictures in order, of which the last is the goal itself. For the success check only: the
    goal's tool position (3,) m and the object poses, in the scene's order. `appearance` is the world's appearance
    during the whole episode."""

    task: Task
    number: int
    start: Start
    pictures: tuple[NDArray[np.uint8], ...]
    tool: Vector
    objects: tuple[ObjectPose, ...]
    budget: int
    appearance: Appearance

    def shown(self, subgoals: Subgoals) -> tuple[NDArray[np.uint8], ...]:
        """Return the pictures for the agent: all of them when `subgoals` is "given", else only the last."""
        return self.pictures if subgoals == "given" else self.pictures[-1:]

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture of the goal itself, (H, W, 3) uint8 RGB."""
        return self.pictures[-1]

    def distance(self, tool: Vector, objects: Sequence[ObjectPose]) -> float:
        """Return the distance (m) of the world from the goal: the tool's for reach, else that of the object furthest
        from its goal pose.

        It is measured in the table's plane for push and in space for grasp-lift. For pick-place and stack-two it is the
        larger of the distance in the plane and `HEIGHT_WEIGHT` times the distance in height.
        """
        if self.task == "reach":
            return float(np.linalg.norm(np.asarray(tool) - self.tool))
        now = {item.name: np.asarray(item.position) for item in objects}
        return max(self._way(now[item.name] - np.asarray(item.position)) for item in self.objects)

    @property
    def tolerance(self) -> float:
        """The distance (m) at which the goal counts as reached."""
        return TOLERANCE_M[self.task]

    @property
    def start_distance(self) -> float:
        """The distance (m) at the start."""
        return self.distance(np.asarray(self.start.tool.position), self.start.objects)

    def _way(self, offset: Vector) -> float:
        if self.task == "grasp-lift":
            return float(np.linalg.norm(offset))
        on_plane = float(np.linalg.norm(offset[:2]))
        return on_plane if self.task == "push" else max(on_plane, HEIGHT_WEIGHT * abs(float(offset[2])))
