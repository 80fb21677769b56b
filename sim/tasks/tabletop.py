"""Goals of the tabletop: the scripted policy carefully produces the goal state, and a picture shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from sim.policies.interface import Start, standing
from sim.policies.tabletop import SPECS, TABLE_LOWER, TABLE_UPPER, Aim, TabletopPolicy, free_place, random_start
from sim.tasks.environments import TABLETOP_PLAY
from sim.tasks.task import Goal, Level, Task
from sim.tasks.visibility import visible_share
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep
from sim.world.scene import DISTRACTORS, GRASPABLE, present

BUDGET_BLOCKS: Mapping[Task, int] = MappingProxyType(
    {"reach": 40, "push": 40, "grasp-lift": 40, "pick-place": 60, "stack-two": 80}
)
MOVED_AT_LEAST_M = 0.09
REACH_AT_LEAST_M = 0.09
REACH_CLEAR_M = 0.08
REACH_BELOW_M = 0.20
LIFTED_AT_LEAST_M = 0.06
DISTURBED_M = 0.01
GRASP_ERROR_M = 0.002
CAREFUL_NOISE = 0.02
VISIBLE_AT_LEAST = 0.5
GRASPABLE_NAMES = frozenset(thing.name for thing in GRASPABLE)
ALIGNED_M = 0.015
MIN_STACK_HEIGHT_M = 0.02


def tabletop_goal(world: LockStep, task: Task, rng: np.random.Generator, number: int, level: Level) -> Goal | None:
    """Return a goal with the present appearance of `world`, or None when this attempt failed. At the level no-arm the
    arm leaves the picture before it is taken, and at cluttered there are distractors."""
    start = random_start(rng, TABLETOP_PLAY.convention)
    if level == "cluttered":
        start = Start(start.tool, (*start.objects, *_distractors(rng, start.objects)))
    maker = _Maker(world, task, rng, start)
    made = {
        "reach": maker.reach,
        "push": maker.push,
        "grasp-lift": maker.grasp,
        "pick-place": maker.pick_place,
        "stack-two": maker.stack,
    }[task]()
    if not made:
        return None
    if level == "no-arm":
        maker.do(maker.policy.leave())
    return maker.goal(number)


def _distractors(rng: np.random.Generator, objects: tuple[ObjectPose, ...]) -> list[ObjectPose]:
    """Return two or three distractors, placed clear of `objects`."""
    names = rng.permutation([thing.name for thing in DISTRACTORS])[: rng.integers(2, 4)]
    placed: list[ObjectPose] = []
    for name in names.tolist():
        place = free_place(rng, [*objects, *placed])
        placed.append(standing(name, (*place, SPECS[name].rest_height), rng.uniform(-np.pi, np.pi)))
    return placed


class _Maker:
    """Makes one goal; the method of each task returns whether the goal state was produced."""

    def __init__(self, world: LockStep, task: Task, rng: np.random.Generator, start: Start) -> None:
        self._world, self._task, self._rng, self._start = world, task, rng, start
        convention = TABLETOP_PLAY.convention
        self.policy = TabletopPolicy(rng, convention, noise=CAREFUL_NOISE)
        self._runner = BlockRunner(world, convention)
        self._runner.reset(start.tool, start.objects)
        self._pictures: list[np.ndarray] = []
        self._graspable = [item.name for item in start.objects if item.name in GRASPABLE_NAMES]
        self._chosen = str(rng.choice(self._graspable))

    def do(self, skill: Iterator[Aim]) -> None:
        """Carry out one skill of the scripted policy, and wait until everything is at rest."""
        self.policy.begin(skill)
        while (action := self.policy.next_action(self._runner.target, self._objects())) is not None:
            self._runner.run_block(action)
        for _ in range(2):
            self._runner.run_block(np.zeros(TABLETOP_PLAY.convention.size))

    def reach(self) -> bool:
        """Move the tool to a new position; everything else stays."""
        other = random_start(self._rng, TABLETOP_PLAY.convention).tool
        place = np.asarray(other.position)
        clear = all(np.linalg.norm(place - np.asarray(i.position)) > REACH_CLEAR_M for i in self._start.objects)
        inside = bool((place[:2] > TABLE_LOWER).all() and (place[:2] < TABLE_UPPER).all() and place[2] < REACH_BELOW_M)
        far = float(np.linalg.norm(place - np.asarray(self._start.tool.position))) > REACH_AT_LEAST_M
        if clear and inside and far:
            self._world.reset(TABLETOP_PLAY.convention, other, self._start.objects)
        return clear and inside and far

    def push(self) -> bool:
        """Push one object to a new place on the table."""
        if self._stacked(self._start.objects):
            return False
        self.do(self.policy.push(self._chosen))
        return self._moved() and self._visible_enough()

    def grasp(self) -> bool:
        """Grasp one object and lift it off the table."""
        self.do(self.policy.pick(self._chosen, GRASP_ERROR_M))
        lifted = self._place(self._chosen)[2] - self._start_position(self._chosen)[2] >= LIFTED_AT_LEAST_M
        return lifted and self.policy.held == self._chosen and self._others_rest() and self._visible_enough()

    def pick_place(self) -> bool:
        """Carry one object to a new place on the table."""
        self.do(self.policy.pick(self._chosen, GRASP_ERROR_M))
        if self.policy.held != self._chosen:
            return False
        others = [item for item in self._objects() if item.name != self._chosen]
        self.do(self.policy.place(self._chosen, free_place(self._rng, others), float(self._rng.normal(0.0, 0.4))))
        down = abs(self._place(self._chosen)[2] - SPECS[self._chosen].rest_height) < DISTURBED_M
        return down and self._moved() and self._visible_enough()

    def stack(self) -> bool:
        """Put one object on top of another; the first picture shows it lifted."""
        others = [name for name in self._graspable if name != self._chosen]
        if not others or self._stacked(self._start.objects):
            return False
        below = str(self._rng.choice(others))
        self.do(self.policy.pick(self._chosen, GRASP_ERROR_M))
        if self.policy.held != self._chosen:
            return False
        self._pictures.append(self._world.picture())
        self.do(self.policy.stack(self._chosen, below))
        offset = self._place(self._chosen) - self._place(below)
        upon = float(np.linalg.norm(offset[:2])) < ALIGNED_M and offset[2] > MIN_STACK_HEIGHT_M
        return bool(upon) and self._others_rest() and self._visible_enough()

    def goal(self, number: int) -> Goal:
        """Return the present state of the world as the goal."""
        seen = self._world.observe()
        return Goal(
            self._task,
            number,
            self._start,
            (*self._pictures, seen.picture(self._world.camera.name)),
            seen.state[:3],
            self._objects(),
            BUDGET_BLOCKS[self._task],
            self._world.appearance,
        )

    # ---------------------------------------------------------------- checks

    def _objects(self) -> tuple[ObjectPose, ...]:
        return tuple(item for item in self._world.scene.objects() if present(item))

    def _place(self, name: str) -> Vector:
        return next(np.asarray(item.position) for item in self._objects() if item.name == name)

    def _start_position(self, name: str) -> Vector:
        return next(np.asarray(item.position) for item in self._start.objects if item.name == name)

    def _moved(self) -> bool:
        """Return whether the chosen object moved far enough and lies on the part of the table where play begins."""
        now = self._place(self._chosen)[:2]
        inside = bool((now > TABLE_LOWER).all() and (now < TABLE_UPPER).all())
        far = float(np.linalg.norm(now - self._start_position(self._chosen)[:2])) >= MOVED_AT_LEAST_M
        return inside and far and self._others_rest()

    def _others_rest(self) -> bool:
        names = [item.name for item in self._start.objects if item.name != self._chosen]
        return all(np.linalg.norm(self._place(name) - self._start_position(name)) < DISTURBED_M for name in names)

    def _visible_enough(self) -> bool:
        """Return whether the picture shows enough of the chosen object; the world is restored afterwards."""
        joints, _, width = self._world.scene.joints()
        share = visible_share(self._world, self._chosen)
        self._world.scene.set_arm(np.asarray(joints), width)
        return share >= VISIBLE_AT_LEAST

    @staticmethod
    def _stacked(objects: tuple[ObjectPose, ...]) -> bool:
        return any(item.position[2] > SPECS[item.name].rest_height + DISTURBED_M for item in objects)
