"""One held-out goal: what the agent is shown, and what only the judge knows."""

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
"""How a goal is shown. clean: as the data looks; no-arm: without the arm in the picture; shifted: from a camera that
stands elsewhere, up to 2 cm along each axis and 3° about any; lit: under another lamp; cluttered: among things that no
data shows."""

Subgoals = Literal["none", "given", "auto"]
"""What an agent has beside the goal's picture: nothing; those of what comes before it; or what it finds by itself."""

DRAWN_LEVELS: tuple[Level, ...] = ("shifted", "lit")
"""Levels at which the camera stands elsewhere, or the light does."""

TOLERANCE_M: Mapping[Task, float] = MappingProxyType(
    {"reach": 0.02, "push": 0.03, "grasp-lift": 0.05, "pick-place": 0.03, "stack-two": 0.03}
)
# So that an object beside a flat one is not taken for one upon it.
HEIGHT_WEIGHT = 3.0


@dataclass(frozen=True)
class Goal:
    """Where things start, the pictures of how they should be, one after another, the last of which is the goal; and,
    for the judge alone, the goal's tool position (3,) m and object poses, in the scene's order. `appearance` is how the
    world looks all the while."""

    task: Task
    number: int
    start: Start
    pictures: tuple[NDArray[np.uint8], ...]
    tool: Vector
    objects: tuple[ObjectPose, ...]
    budget: int
    appearance: Appearance

    def shown(self, subgoals: Subgoals) -> tuple[NDArray[np.uint8], ...]:
        """Return the pictures that the agent is shown: all of them when they are `given`, and else the last."""
        return self.pictures if subgoals == "given" else self.pictures[-1:]

    @property
    def picture(self) -> NDArray[np.uint8]:
        """How things should be in the end, (H, W, 3) uint8 RGB."""
        return self.pictures[-1]

    def distance(self, tool: Vector, objects: Sequence[ObjectPose]) -> float:
        """Return how far (m) the world is from the goal: the tool's way for reach, and else that of the object which is
        farthest from its place.

        On the table's plane for push; in space for grasp-lift; for pick-place and stack-two the larger of the way on
        the plane and `HEIGHT_WEIGHT` times that in height.
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
