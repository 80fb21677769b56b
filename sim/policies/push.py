"""Exploratory play: a scripted policy that pushes the cube from all sides, well and badly.

The planner can only imagine what play has shown. The scripted policy therefore steers the cube to random places, pushes
it without feedback, moves into it by accident, and adds correlated noise to every action.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from sim.policies.interface import Start, standing

TABLE_LOWER = np.array([0.38, -0.18])
TABLE_UPPER = np.array([0.62, 0.18])
CLEARANCE_M = 0.085
CONTACT_M = 0.05


def random_start(rng: np.random.Generator, convention: ToolDisplacement) -> Start:
    """Return a start with a random cube in view and a random tool clear of it."""
    centre = rng.uniform(TABLE_LOWER, TABLE_UPPER)
    yaw = rng.uniform(-np.pi, np.pi)
    cube = cube_pose(centre, yaw)
    lower, upper = np.asarray(convention.bounds.lower), np.asarray(convention.bounds.upper)
    near = rng.random() < 0.6
    while True:
        tool = rng.uniform(lower, upper)
        if near:
            tool[:2] = np.clip(centre + rng.normal(0.0, 0.11, 2), lower[:2], upper[:2])
        if np.linalg.norm(tool[:2] - centre) > CLEARANCE_M:
            return Start(convention.start(tool), (cube,))


def rearranged(rng: np.random.Generator, convention: ToolDisplacement, objects: Sequence[ObjectPose]) -> Start:
    """Return a new random start; the present `objects` do not matter."""
    return random_start(rng, convention)


def cube_pose(centre: Vector, yaw: float, name: str = "cube", height: float = 0.03) -> ObjectPose:
    """Return a pose flat on the table at `centre` (2,) m, rotated by `yaw` rad."""
    return standing(name, (*centre, height), yaw)


class PushPolicy:
    """The scripted policy of the environment push, a `ScriptedPolicy`."""

    def __init__(self, rng: np.random.Generator, convention: ToolDisplacement) -> None:
        self._rng = rng
        self._convention = convention
        self.clean_action: Vector = np.zeros(convention.size)
        self._noise: Vector = np.zeros(convention.size)
        self._noise_scale = float(rng.choice([0.05, 0.15, 0.3, 0.45]))
        self._left = 0
        self._kind = "wander"
        self._target: Vector = np.zeros(2)
        self._direction: Vector = np.array([1.0, 0.0])
        self._speed = 1.0

    def act(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (2,) in [−1, 1] for the set-point `tool` and the first object's position."""
        return self._act(np.asarray(tool.position)[:2], np.asarray(objects[0].position[:2]))

    def choose_again(self) -> None:
        """Choose a new skill at the next action."""
        self._left = 0

    def _act(self, tool: Vector, cube: Vector) -> Vector:
        if self._left <= 0 or (self._kind == "steer" and np.linalg.norm(self._target - cube) < 0.012):
            self._new_segment(cube)
        self._left -= 1
        if self._kind == "wander":
            aim = self._target
            if np.linalg.norm(aim - tool) < 0.02:
                self._left = 0
        else:
            aim = self._push(tool, cube)
        self._noise = 0.6 * self._noise + self._noise_scale * 0.8 * self._rng.standard_normal(self._noise.shape)
        wish = (aim - tool) / self._convention.scale_m
        length = float(np.abs(wish).max())
        if length > self._speed:
            wish = wish * (self._speed / length)
        self.clean_action = np.clip(wish, -1.0, 1.0)
        return np.clip(wish + self._noise, -1.0, 1.0)

    def _new_segment(self, cube: Vector) -> None:
        rng = self._rng
        self._speed = float(rng.uniform(0.5, 1.0))
        self._kind = str(rng.choice(["steer", "shove", "wander"], p=[0.55, 0.2, 0.25]))
        lower = np.asarray(self._convention.bounds.lower)[:2]
        upper = np.asarray(self._convention.bounds.upper)[:2]
        if self._kind == "wander":
            # A third of the free moves go to the cube's position, and so bump into it.
            near = rng.random() < 0.35
            self._target = cube + rng.normal(0, 0.05, 2) if near else rng.uniform(lower, upper)
            self._target = np.clip(self._target, lower, upper)
            self._left = int(rng.integers(3, 9))
        elif self._kind == "steer":
            self._target = rng.uniform(TABLE_LOWER, TABLE_UPPER)
            self._left = int(rng.integers(10, 28))
        else:
            angle = rng.uniform(-np.pi, np.pi)
            self._direction = np.array([np.cos(angle), np.sin(angle)])
            inward = (TABLE_LOWER + TABLE_UPPER) / 2 - cube
            if rng.random() < 0.6 and np.linalg.norm(inward) > 0.05:
                self._direction = inward / np.linalg.norm(inward)
            self._left = int(rng.integers(5, 13))

    def _push(self, tool: Vector, cube: Vector) -> Vector:
        """Return the tool's position (2,) m for the end of the block: around the cube, then through it."""
        direction = self._direction
        if self._kind == "steer":
            gap = self._target - cube
            direction = gap / max(float(np.linalg.norm(gap)), 1e-6)
        offset = tool - cube
        distance = float(np.linalg.norm(offset))
        bearing = np.arctan2(offset[1], offset[0])
        wanted = np.arctan2(-direction[1], -direction[0])
        turn = float((wanted - bearing + np.pi) % (2 * np.pi) - np.pi)
        if abs(turn) < 0.45 and distance < CLEARANCE_M + 0.03:
            # Behind the cube: move through it, pulled towards the line of the push.
            advance = 0.04
            if self._kind == "steer":
                advance = min(advance, float(np.linalg.norm(self._target - cube)))
            return cube - direction * (CONTACT_M - 0.01 - advance)
        if abs(turn) < 0.45:
            return cube - direction * CLEARANCE_M
        # Move around the cube on a circle wide enough not to touch it.
        step = np.clip(turn, -0.55, 0.55)
        around = bearing + step
        radius = max(CLEARANCE_M, min(distance, 0.14))
        return cube + radius * np.array([np.cos(around), np.sin(around)])
