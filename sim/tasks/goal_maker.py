"""Makes the goals of the tabletop by careful moves of the scripted policy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from robot.arm.interface import ObjectPose, Vector
from robot.arm.rotations import rotation_matrix
from sim.policies.interface import Start
from sim.policies.tabletop import Aim, TabletopPolicy
from sim.policies.tabletop_starts import SPECS, TABLE_LOWER, TABLE_UPPER, free_place, random_start
from sim.tasks.environments import TABLETOP_PLAY
from sim.tasks.task import Goal, Task
from sim.tasks.visibility import visible_share
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep
from sim.world.scene import EXTRA_GRASPABLE, GRASPABLE, present

MOVED_AT_LEAST_M = 0.09
REARRANGED_AT_LEAST_M = 0.06
STACKED_SHARE = 0.25
PLACE_ATTEMPTS = 50
UPRIGHT_COSINE = 0.95
REACH_AT_LEAST_M = 0.09
REACH_CLEAR_M = 0.08
REACH_BELOW_M = 0.20
LIFTED_AT_LEAST_M = 0.06
DISTURBED_M = 0.01
GRASP_ERROR_M = 0.002
CAREFUL_NOISE = 0.02
VISIBLE_AT_LEAST = 0.5
GRASPABLE_NAMES = frozenset(thing.name for thing in (*GRASPABLE, *EXTRA_GRASPABLE))
ALIGNED_M = 0.015
MIN_STACK_HEIGHT_M = 0.02


class GoalMaker:
    """Makes one goal in `world`, which it leaves in the goal state. The method of each task returns whether the goal
    state was produced; `chosen` is the object that was moved last."""

    def __init__(self, world: LockStep, task: Task, rng: np.random.Generator, start: Start) -> None:
        self._world, self._task, self._rng, self._start = world, task, rng, start
        convention = TABLETOP_PLAY.convention
        self.policy = TabletopPolicy(rng, convention, noise=CAREFUL_NOISE)
        self._runner = BlockRunner(world, convention)
        self._runner.reset(start.tool, start.objects)
        self._pictures: list[np.ndarray] = []
        self._graspable = [item.name for item in start.objects if item.name in GRASPABLE_NAMES]
        self.chosen = str(rng.choice(self._graspable))

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
        inside = _inside(place[:2]) and bool(place[2] < REACH_BELOW_M)
        far = float(np.linalg.norm(place - np.asarray(self._start.tool.position))) > REACH_AT_LEAST_M
        if clear and inside and far:
            self._world.reset(TABLETOP_PLAY.convention, other, self._start.objects)
        return clear and inside and far

    def push(self) -> bool:
        """Push one object to a new place on the table."""
        if self._stacked(self._start.objects):
            return False
        self.do(self.policy.push(self.chosen))
        return self._moved() and self._visible_enough(self.chosen)

    def grasp(self) -> bool:
        """Grasp one object and lift it off the table."""
        self.do(self.policy.pick(self.chosen, GRASP_ERROR_M))
        lifted = self._place(self.chosen)[2] - self._start_position(self.chosen)[2] >= LIFTED_AT_LEAST_M
        return lifted and self.policy.held == self.chosen and self._others_rest() and self._visible_enough(self.chosen)

    def pick_place(self) -> bool:
        """Carry one object to a new place on the table."""
        self.do(self.policy.pick(self.chosen, GRASP_ERROR_M))
        if self.policy.held != self.chosen:
            return False
        others = [item for item in self._objects() if item.name != self.chosen]
        self.do(self.policy.place(self.chosen, free_place(self._rng, others), float(self._rng.normal(0.0, 0.4))))
        down = abs(self._place(self.chosen)[2] - SPECS[self.chosen].rest_height) < DISTURBED_M
        return down and self._moved() and self._visible_enough(self.chosen)

    def stack(self) -> bool:
        """Put one object on top of another; the first picture shows it lifted."""
        others = [name for name in self._graspable if name != self.chosen]
        if not others or self._stacked(self._start.objects):
            return False
        below = str(self._rng.choice(others))
        self.do(self.policy.pick(self.chosen, GRASP_ERROR_M))
        if self.policy.held != self.chosen:
            return False
        self._pictures.append(self._world.picture())
        self.do(self.policy.stack(self.chosen, below))
        return self._upon(below) and self._others_rest() and self._visible_enough(self.chosen)

    def rearrange(self) -> bool:
        """Carry every object to another place, in some goals the last one on top of another; there is a picture after
        each."""
        order = [str(name) for name in self._rng.permutation(self._graspable)]
        # What stands on something is moved before it.
        order.sort(key=lambda name: -self._start_position(name)[2])
        stacked = self._rng.random() < STACKED_SHARE
        for index, name in enumerate(order):
            if index:
                self._pictures.append(self._world.picture())
            self.chosen = name
            onto = str(self._rng.choice(order[:index])) if stacked and name == order[-1] else None
            if not self._carry_elsewhere(onto):
                return False
        return all(self._away_from_start(name) and self._visible_enough(name) for name in order)

    def _carry_elsewhere(self, onto: str | None) -> bool:
        """Carry the chosen object on top of the object `onto`, or to a place on the table away from its start; return
        whether it stands there and nothing else moved."""
        name = self.chosen
        others = [item for item in self._objects() if item.name != name]
        self.do(self.policy.pick(name, GRASP_ERROR_M))
        if self.policy.held != name:
            return False
        if onto is not None:
            self.do(self.policy.stack(name, onto))
            stands = self._upon(onto)
        else:
            places = (free_place(self._rng, others) for _ in range(PLACE_ATTEMPTS))
            away = REARRANGED_AT_LEAST_M + DISTURBED_M
            start = self._start_position(name)[:2]
            place = next((place for place in places if np.linalg.norm(place - start) > away), None)
            if place is None:
                return False
            self.do(self.policy.place(name, place, float(self._rng.normal(0.0, 0.4))))
            stands = abs(self._place(name)[2] - SPECS[name].rest_height) < DISTURBED_M
        rest = all(np.linalg.norm(self._place(each.name) - np.asarray(each.position)) < DISTURBED_M for each in others)
        return stands and rest

    def goal(self, number: int, budget: int) -> Goal:
        """Return the present state of the world as the goal, to be reached within `budget` blocks."""
        seen = self._world.observe()
        return Goal(
            self._task,
            number,
            self._start,
            (*self._pictures, seen.picture(self._world.camera.name)),
            seen.state[:3],
            self._objects(),
            budget,
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
        now = self._place(self.chosen)[:2]
        far = float(np.linalg.norm(now - self._start_position(self.chosen)[:2])) >= MOVED_AT_LEAST_M
        return _inside(now) and far and self._others_rest()

    def _others_rest(self) -> bool:
        names = [item.name for item in self._start.objects if item.name != self.chosen]
        return all(np.linalg.norm(self._place(name) - self._start_position(name)) < DISTURBED_M for name in names)

    def _upon(self, below: str) -> bool:
        """Return whether the chosen object stands on the object `below`."""
        offset = self._place(self.chosen) - self._place(below)
        return bool(np.linalg.norm(offset[:2]) < ALIGNED_M and offset[2] > MIN_STACK_HEIGHT_M)

    def _away_from_start(self, name: str) -> bool:
        """Return whether an object stands upright on the part of the table where play begins, at another place."""
        item = next(item for item in self._objects() if item.name == name)
        place = np.asarray(item.position)[:2]
        upright = bool(rotation_matrix(item.orientation)[2, 2] > UPRIGHT_COSINE)
        far = float(np.linalg.norm(place - self._start_position(name)[:2])) >= REARRANGED_AT_LEAST_M
        return upright and far and _inside(place)

    def _visible_enough(self, name: str) -> bool:
        """Return whether the picture shows enough of an object; the world is restored afterwards."""
        joints, _, width = self._world.scene.joints()
        share = visible_share(self._world, name)
        self._world.scene.set_arm(np.asarray(joints), width)
        return share >= VISIBLE_AT_LEAST

    @staticmethod
    def _stacked(objects: tuple[ObjectPose, ...]) -> bool:
        return any(item.position[2] > SPECS[item.name].rest_height + DISTURBED_M for item in objects)


def _inside(place: Vector) -> bool:
    """Return whether `place` (2,) m is on the part of the table where play begins."""
    return bool((place > TABLE_LOWER).all() and (place < TABLE_UPPER).all())
