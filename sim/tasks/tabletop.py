"""Goals of the tabletop: the scripted policy carefully produces the goal state, and a picture shows it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from robot.arm.interface import ObjectPose
from sim.policies.interface import Start, standing
from sim.policies.tabletop_starts import SPECS, free_place, random_start
from sim.tasks.environments import TABLETOP_PLAY
from sim.tasks.goal_maker import GoalMaker
from sim.tasks.object_only import object_only
from sim.tasks.task import Goal, Level, Task, Things
from sim.world.lockstep import LockStep
from sim.world.scene import DISTRACTORS

BUDGET_BLOCKS: Mapping[Task, int] = MappingProxyType(
    {"reach": 40, "push": 40, "grasp-lift": 40, "pick-place": 60, "stack-two": 80, "rearrange-3": 180}
)
_REARRANGED = 3


def tabletop_goal(
    world: LockStep, task: Task, rng: np.random.Generator, number: int, level: Level, things: Things | None = None
) -> Goal | None:
    """Return a goal with the present appearance of `world`, or None when this attempt failed. `things` objects are on
    the table, or one to three without that. At the level no-arm the arm leaves the picture before it is taken, at
    cluttered there are distractors, and at object-only the picture shows all but the moved object somewhere else."""
    count = _REARRANGED if task == "rearrange-3" else things
    start = random_start(rng, TABLETOP_PLAY.convention, count)
    if level == "cluttered":
        start = Start(start.tool, (*start.objects, *_distractors(rng, start.objects)))
    maker = GoalMaker(world, task, rng, start)
    made = {
        "reach": maker.reach,
        "push": maker.push,
        "grasp-lift": maker.grasp,
        "pick-place": maker.pick_place,
        "stack-two": maker.stack,
        "rearrange-3": maker.rearrange,
    }[task]()
    if not made:
        return None
    if level == "no-arm":
        maker.do(maker.policy.leave())
    goal = maker.goal(number, BUDGET_BLOCKS[task])
    return object_only(world, rng, goal, maker.chosen) if level == "object-only" else goal


def _distractors(rng: np.random.Generator, objects: tuple[ObjectPose, ...]) -> list[ObjectPose]:
    """Return two or three distractors, placed clear of `objects`."""
    names = rng.permutation([thing.name for thing in DISTRACTORS])[: rng.integers(2, 4)]
    placed: list[ObjectPose] = []
    for name in names.tolist():
        place = free_place(rng, [*objects, *placed])
        placed.append(standing(name, (*place, SPECS[name].rest_height), rng.uniform(-np.pi, np.pi)))
    return placed
