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
from sim.world.scene import DISTRACTORS

Task = Literal["reach", "push", "grasp-lift", "pick-place", "stack-two", "rearrange-3"]
TASKS: tuple[Task, ...] = get_args(Task)

Level = Literal["clean", "no-arm", "shifted", "lit", "cluttered", "object-only"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""The appearance of a goal. clean: like the training data; no-arm: without the arm in the picture; shifted: from a
camera moved by up to 2 cm along each axis and rotated by up to 3° about any axis; lit: under another lamp; cluttered:
among objects that no training data shows; object-only: one object's place counts, and the picture shows the arm and all
other objects somewhere else."""

Things = Literal[1, 2, 3, 5]
"""The number of graspable objects on the table, where a benchmark fixes it; five includes two that no training data
shows."""

Subgoals = Literal["none", "given", "auto", "things"]
"""The sub-goals before the goal picture: none; given: pictures of the states before the goal; auto: found by the agent;
things: one thing's place after another."""

DRAWN_LEVELS: tuple[Level, ...] = ("shifted", "lit")
"""Levels with a moved camera or another light."""

TOLERANCE_M: Mapping[Task, float] = MappingProxyType(
    {"reach": 0.02, "push": 0.03, "grasp-lift": 0.05, "pick-place": 0.03, "stack-two": 0.03, "rearrange-3": 0.03}
)
# Heights count more, so that an object beside a flat one does not count as stacked on it.
HEIGHT_WEIGHT = 3.0
_DISTRACTOR_NAMES = frozenset(thing.name for thing in DISTRACTORS)


@dataclass(frozen=True)
class Goal:
    """The start, and the goal pictures in order, of which the last is the goal itself. For the success check only: the
    goal's tool position (3,) m and the object poses, in the scene's order. `appearance` is the world's appearance
    during the whole episode. `only` names the objects that count; when it is empty, all of them do."""

    task: Task
    number: int
    start: Start
    pictures: tuple[NDArray[np.uint8], ...]
    tool: Vector
    objects: tuple[ObjectPose, ...]
    budget: int
    appearance: Appearance
    only: tuple[str, ...] = ()

    def shown(self, subgoals: Subgoals) -> tuple[NDArray[np.uint8], ...]:
        """Return the pictures for the agent: all of them when `subgoals` is "given", else only the last."""
        return self.pictures if subgoals == "given" else self.pictures[-1:]

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture of the goal itself, (H, W, 3) uint8 RGB."""
        return self.pictures[-1]

    def distance(self, tool: Vector, objects: Sequence[ObjectPose]) -> float:
        """Return the distance (m) of the world from the goal: the tool's for reach, else that of the object that
        counts and is furthest from its goal pose.

        It is measured in the table's plane for push and in space for grasp-lift. For all other tasks it is the larger
        of the distance in the plane and `HEIGHT_WEIGHT` times the distance in height.
        """
        if self.task == "reach":
            return float(np.linalg.norm(np.asarray(tool) - self.tool))
        return max(self._ways(objects))

    def things_in_place(self, objects: Sequence[ObjectPose]) -> float | None:
        """Return the share of the objects that count which are within tolerance of their goal poses; None for reach,
        which asks for no object."""
        return None if self.task == "reach" else float(np.mean([way <= self.tolerance for way in self._ways(objects)]))

    @property
    def things(self) -> int:
        """The number of objects on the table, without distractors."""
        return sum(item.name not in _DISTRACTOR_NAMES for item in self.start.objects)

    @property
    def tolerance(self) -> float:
        """The distance (m) at which the goal counts as reached."""
        return TOLERANCE_M[self.task]

    @property
    def start_distance(self) -> float:
        """The distance (m) at the start."""
        return self.distance(np.asarray(self.start.tool.position), self.start.objects)

    def _ways(self, objects: Sequence[ObjectPose]) -> list[float]:
        """Return the distances (m) of the objects that count from their goal poses."""
        now = {item.name: np.asarray(item.position) for item in objects}
        counted = [item for item in self.objects if not self.only or item.name in self.only]
        return [self._way(now[item.name] - np.asarray(item.position)) for item in counted]

    def _way(self, offset: Vector) -> float:
        if self.task == "grasp-lift":
            return float(np.linalg.norm(offset))
        on_plane = float(np.linalg.norm(offset[:2]))
        return on_plane if self.task == "push" else max(on_plane, HEIGHT_WEIGHT * abs(float(offset[2])))
