"""Exploratory play on the tabletop: a scripted policy that picks, carries, places, stacks, drops, pushes and wanders.

A planner exploits every gap in its training data. Some grasps therefore miss on purpose, the empty gripper also moves
around closed, objects fall from any height, and every action has correlated noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.arm.rotations import rotation_matrix
from robot.embodiment.tool_displacement import ToolDisplacement, ToolTarget
from sim.policies.interface import CorrelatedNoise
from sim.policies.tabletop_starts import SPECS, TABLE_LOWER, TABLE_UPPER, free_place
from sim.world.scene import SceneObject

UPRIGHT = 0.95
"""The least cosine of an object's tilt while it counts as upright."""
OPEN, CLOSED = 1.0, -1.0
RELEASED_M = 0.02
# The set-point is up to a block ahead of the carried object.
HELD_M = 0.05
HELD_BELOW_M = (-0.05, 0.08)
LIFTED_M = 0.008
MISSED_SHARE = 0.08
"""The share of grasps that miss on purpose."""
NUDGED_SHARE, NUDGED_M = 0.2, 0.035
"""The share of objects that are put down near their old position, and the standard deviation (m) of the distance."""
NOISE_SCALES, NOISE_SHARES = (0.04, 0.12, 0.25), (0.6, 0.3, 0.1)
RANDOM_BLOCK_SHARE = 0.15
"""The share of blocks with a random action. The scripted policy's next actions show how to correct it, without the blur
that noise on every action would add."""
EMPTY_GRIPPER_SHARES = (0.55, 0.20, 0.07, 0.18)
"""The shares with which an empty gripper picks, pushes, wanders and leaves the picture. It leaves often, because only
the actions before that show how to reach a picture without the arm."""
PUSH_BLOCKS = (4, 10)
LOWERING_BLOCKS = 16
ASIDE_M, ARRIVED_M = 0.011, 0.010
"""m; the tool has come down when it is this close in the plane, and in height."""
FUNNEL = 3.0
"""Metres that the tool is higher per metre of horizontal distance."""
OUT_OF_VIEW_M = 0.335


def height_of_centre(pose: ObjectPose) -> float:
    """Return the height (m) of an object's centre where it rests on the table as it is turned now."""
    spec = SPECS[pose.name]
    across_x, across_y, upright = np.abs(rotation_matrix(pose.orientation)[2])
    if upright > UPRIGHT:
        return spec.rest_height
    length, width, height = spec.size
    if spec.shape == "cylinder":
        return float(upright * height + np.hypot(across_x, across_y) * width) / 2
    return float(across_x * length + across_y * width + upright * height) / 2


def turned(pose: ObjectPose) -> float:
    """Return an object's yaw (rad): that of its x axis, or of its y axis when its x axis is vertical."""
    axes = rotation_matrix(pose.orientation)
    axis = axes[:, 0] if abs(axes[2, 0]) < 0.7 else axes[:, 1]
    return float(np.arctan2(axis[1], axis[0]))


@dataclass(frozen=True)
class Aim:
    """The desired tool: position `place` (3,) m and `yaw` rad; `grip` is OPEN or CLOSED."""

    place: Vector
    yaw: float
    grip: float


class TabletopPolicy:
    """The scripted policy of the environment tabletop, a `ScriptedPolicy`. Each skill is a generator that yields one
    aim per block."""

    def __init__(self, rng: np.random.Generator, convention: ToolDisplacement, noise: float | None = None) -> None:
        """`noise` is the standard deviation of the noise of its actions; drawn at random when None."""
        self._rng = rng
        self._convention = convention
        self._bounds = np.asarray(convention.bounds.lower), np.asarray(convention.bounds.upper)
        scale = float(rng.choice(NOISE_SCALES, p=NOISE_SHARES)) if noise is None else noise
        self._noise = CorrelatedNoise(rng, 4, scale)
        self._random_share = RANDOM_BLOCK_SHARE if noise is None else 0.0
        self._speed = 1.0
        self.clean_action: Vector = np.zeros(convention.size)
        self._skill: Iterator[Aim] = iter(())
        self._tool = ToolTarget(np.zeros(3))
        self._objects: dict[str, ObjectPose] = {}
        self._grasp: Vector = np.zeros(3)

    def act(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector:
        """Return an action (5,) in [−1, 1] for the set-point `tool` and the objects on the table."""
        while (action := self.next_action(tool, objects)) is None:
            self.begin(self._choose())
        return action

    def choose_again(self) -> None:
        """Choose a new skill at the next action."""
        self.begin(iter(()))

    def begin(self, skill: Iterator[Aim]) -> None:
        """Replace the present skill by `skill`."""
        self._skill = skill

    def next_action(self, tool: ToolTarget, objects: Sequence[ObjectPose]) -> Vector | None:
        """Return the present skill's next action, as `act` does; None when the skill has ended."""
        self._tool = tool
        self._objects = {item.name: item for item in objects}
        aim = next(self._skill, None)
        return None if aim is None else self._towards(aim)

    def _towards(self, aim: Aim) -> Vector:
        """Return the noisy action (5,) towards `aim`, no faster than the present skill's speed."""
        convention = self._convention
        wish = np.array([*(aim.place - self._tool.position) / convention.scale_m, 0.0])
        wish[3] = (aim.yaw - self._tool.yaw) / convention.turn_rad
        length = float(np.abs(wish[:3]).max())
        if length > self._speed:
            wish[:3] *= self._speed / length
        self.clean_action = np.array([*np.clip(wish, -1.0, 1.0), aim.grip])
        noise = self._noise.draw()
        if self._rng.random() < self._random_share:
            return np.array([*self._rng.uniform(-1.0, 1.0, 4), aim.grip])
        return np.array([*np.clip(wish + noise, -1.0, 1.0), aim.grip])

    @property
    def held(self) -> str | None:
        """The name of the object in the closed gripper, off the table; None when there is none."""
        if self._tool.gripper_width >= RELEASED_M:
            return None
        for name, item in self._objects.items():
            below = self._tool.position - np.asarray(item.position)
            near = np.linalg.norm(below[:2]) < HELD_M and HELD_BELOW_M[0] < below[2] < HELD_BELOW_M[1]
            if near and item.position[2] > SPECS[name].rest_height + LIFTED_M:
                return name
        return None

    # ---------------------------------------------------------------- skills

    def _choose(self) -> Iterator[Aim]:
        rng, held = self._rng, self.held
        self._speed = float(rng.uniform(0.8, 1.0))
        if held is None:
            within = [name for name in sorted(self._objects) if self._within_reach(name)]
            kind = rng.choice(["pick", "push", "wander", "leave"], p=EMPTY_GRIPPER_SHARES)
            if not within:
                return self.wander()
            name = str(rng.choice(within))
            if kind == "pick":
                return self.pick(name, float(rng.uniform(0.02, 0.035)) if rng.random() < MISSED_SHARE else 0.003)
            if kind == "push":
                return self.push(name)
            return self.leave() if kind == "leave" else self.wander()
        others = sorted(set(self._objects) - {held})
        kind = rng.choice(["place", "stack", "drop", "wander"], p=[0.68, 0.20, 0.06, 0.06])
        if kind == "stack" and others:
            return self.stack(held, str(rng.choice(others)))
        if kind == "drop":
            return self.release()
        if kind == "wander":
            return self.wander()
        yaw = self._tool.yaw + float(rng.normal(0.0, 0.4))
        if rng.random() < NUDGED_SHARE:
            near = self._tool.position[:2] + rng.normal(0.0, NUDGED_M, 2)
            return self.place(held, np.clip(near, TABLE_LOWER, TABLE_UPPER), yaw)
        room = [self._objects[other] for other in others] if rng.random() < 0.85 else []
        return self.place(held, free_place(rng, room), yaw)

    def pick(self, name: str, error_m: float) -> Iterator[Aim]:
        """Grasp the object `name` with an error of about `error_m`, and lift it."""
        rng = self._rng
        angle, far = rng.uniform(-np.pi, np.pi), abs(error_m + rng.normal(0.0, 0.002))
        beside = far * np.array([np.cos(angle), np.sin(angle), 0.0])
        yaw = self._grasp_yaw(name)
        above, deep = rng.uniform(0.055, 0.065), np.array([0.0, 0.0, rng.uniform(-0.010, 0.002)])
        yield from self._lower(lambda: self._at(name) + beside + deep, above, yaw, OPEN)
        # As short as possible: a standing arm looks the same before and after, so a learnt policy would stand for ever.
        yield from self._stay(CLOSED, 1)
        # Measured while both are at rest: in motion, the carried object lags behind the set-point.
        self._grasp = self._tool.position - self._at(name)
        lift = self._tool.position[2] + rng.uniform(0.05, 0.14)
        yield from self._go(lambda: np.array([*self._tool.position[:2], lift]), self._tool.yaw, CLOSED, 4, 0.02)

    def place(self, name: str, where: Vector, yaw: float) -> Iterator[Aim]:
        """Carry the held object to `where` (2,) m, put it down and release it."""
        yield from self._put(name, lambda: np.array([*where, 0.0]), yaw, self._rng.uniform(0.0, 0.012))

    def stack(self, name: str, other: str) -> Iterator[Aim]:
        """Put the held object on top of the object `other`."""
        slip = self._rng.normal(0.0, 0.003, 2)
        yaw = self._grasp_yaw(other)

        def top() -> Vector:
            x, y, z = self._at(other)
            return np.array([x + slip[0], y + slip[1], z + SPECS[other].rest_height])

        yield from self._put(name, top, yaw, self._rng.uniform(0.002, 0.01))

    def push(self, name: str) -> Iterator[Aim]:
        """Push the object `name` along the table with the closed gripper."""
        rng = self._rng
        goal = rng.uniform(TABLE_LOWER, TABLE_UPPER)
        low, yaw = rng.uniform(0.014, 0.03), float(np.clip(rng.normal(0.0, 0.5), *self._convention.turn_bounds))

        def behind(gap: float) -> Vector:
            here = self._at(name)[:2]
            way = goal - here
            return here - way / max(float(np.linalg.norm(way)), 1e-6) * gap

        yield from self._go(lambda: np.array([*behind(0.08), 0.10]), yaw, CLOSED, 10, 0.02)
        yield from self._go(lambda: np.array([*behind(0.075), low]), yaw, CLOSED, 4, 0.012)
        for _ in range(int(rng.integers(*PUSH_BLOCKS))):
            if np.linalg.norm(goal - self._at(name)[:2]) < 0.015:
                break
            yield Aim(np.array([*behind(-0.01), low]), yaw, CLOSED)
        rise = rng.uniform(0.03, 0.12)
        yield from self._go(lambda: np.array([*self._tool.position[:2], low + rise]), yaw, CLOSED, 3, 0.02)

    def wander(self) -> Iterator[Aim]:
        """Move to a random place, sometimes near an object, with the gripper opening and closing at random."""
        rng = self._rng
        lower, upper = self._bounds
        goal = lower + (upper - lower) * np.array([*rng.random(2), rng.random() ** 2])
        if rng.random() < 0.4 and self._objects:
            goal = self._at(str(rng.choice(sorted(self._objects)))) + [0, 0, 0.03] + rng.normal(0, 0.03, 3)
        goal = np.clip(goal, lower, upper)
        yaw = float(np.clip(rng.normal(0.0, 0.5), *self._convention.turn_bounds))
        grip = self._grip if rng.random() < 0.7 else -self._grip
        for _ in range(int(rng.integers(3, 8))):
            if np.linalg.norm(goal - self._tool.position) < 0.02:
                break
            if rng.random() < 0.06:
                grip = -grip
            yield Aim(goal, yaw, grip)

    def release(self) -> Iterator[Aim]:
        """Open the gripper at its present place."""
        yield from self._stay(OPEN, 1)

    def leave(self) -> Iterator[Aim]:
        """Move up and out of the picture, and wait there for a moment."""
        rng = self._rng
        aside = np.array([rng.uniform(0.38, 0.44), rng.uniform(-0.1, 0.1), OUT_OF_VIEW_M])
        grip = self._grip if self._grip == CLOSED or rng.random() < 0.7 else CLOSED
        yield from self._go(lambda: aside, 0.0, grip, 12, 0.015)
        yield from self._stay(grip, int(rng.integers(0, 2)))

    def _put(self, name: str, base: Callable[[], Vector], yaw: float, gap: float) -> Iterator[Aim]:
        """Carry the held object above `base()` (3,) m, lower it to `gap` m above that, release it and rise."""
        rng = self._rng
        yaw = float(np.clip(yaw, *self._convention.turn_bounds))
        above = np.array([0.0, 0.0, height_of_centre(self._objects[name]) + gap])
        yield from self._lower(lambda: base() + self._grasp + above, rng.uniform(0.055, 0.065), yaw, CLOSED)
        yield from self._stay(OPEN, 1)
        rise = self._tool.position[2] + rng.uniform(0.06, 0.12)
        yield from self._go(lambda: np.array([*self._tool.position[:2], rise]), yaw, OPEN, 4, 0.02)

    # ---------------------------------------------------------------- movements

    def _go(self, where: Callable[[], Vector], yaw: float, grip: float, blocks: int, near: float) -> Iterator[Aim]:
        """Aim for `where()` (3,) m until the set-point is within `near` m of it, for at most `blocks` blocks."""
        lower, upper = self._bounds
        for _ in range(blocks):
            goal = np.clip(where(), lower, upper)
            if np.linalg.norm(goal - self._tool.position) < near:
                return
            yield Aim(goal, yaw, grip)

    def _lower(self, where: Callable[[], Vector], above: float, yaw: float, grip: float) -> Iterator[Aim]:
        """Descend on `where()` (3,) m through a funnel: stay up to `above` m higher while the horizontal distance is
        large, and get lower as it shrinks.

        The aim depends only on the present positions, not on the past. The tool therefore recovers from a random action
        at every height, and play's actions can be predicted from a picture.
        """
        lower, upper = self._bounds
        for _ in range(LOWERING_BLOCKS):
            goal = np.clip(where(), lower, upper)
            off = self._tool.position - goal
            if np.linalg.norm(off[:2]) < ASIDE_M and abs(off[2]) < ARRIVED_M:
                return
            aside = float(np.linalg.norm(off[:2])) - ASIDE_M
            higher = goal + [0.0, 0.0, min(above, max(0.0, FUNNEL * aside))]
            yield Aim(np.clip(higher, lower, upper), yaw, grip)

    def _stay(self, grip: float, blocks: int) -> Iterator[Aim]:
        """Stay in place and open or close the gripper."""
        for _ in range(blocks):
            yield Aim(self._tool.position, self._tool.yaw, grip)

    @property
    def _grip(self) -> float:
        """The gripper's present command, OPEN or CLOSED."""
        return OPEN if self._tool.gripper_width >= RELEASED_M else CLOSED

    def _at(self, name: str) -> Vector:
        """Return an object's position (3,) m."""
        return np.asarray(self._objects[name].position)

    def _within_reach(self, name: str) -> bool:
        lower, upper = self._bounds
        place = self._at(name)[:2]
        return bool((place > lower[:2]).all() and (place < upper[:2]).all())

    def _grasp_yaw(self, name: str) -> float:
        """Return the yaw (rad) nearest to the tool's among those that are aligned with an object's sides."""
        spec: SceneObject = SPECS[name]
        here = self._tool.yaw
        axis = rotation_matrix(self._objects[name].orientation)[:, 2]
        lies = abs(axis[2]) < UPRIGHT
        if spec.shape == "cylinder" and not lies:
            return float(np.clip(here + self._rng.normal(0.0, 0.2), *self._convention.turn_bounds))
        every = np.pi if spec.size[0] != spec.size[1] or spec.shape == "cylinder" else np.pi / 2
        along = float(np.arctan2(axis[1], axis[0])) if spec.shape == "cylinder" else turned(self._objects[name])
        yaws = along + every * np.arange(-4, 5)
        low, high = self._convention.turn_bounds
        within = yaws[(yaws >= low) & (yaws <= high)]
        if len(within) == 0:
            within = np.clip(yaws, low, high)
        return float(within[np.abs(within - here).argmin()])
