"""Held-out goals as pictures, with ground-truth poses for the success check.

Goals come from play with seeds that no training data uses. The agent gets only the picture; the start, the goal's poses
and the distance to it stay with the benchmark.
"""

from __future__ import annotations

import numpy as np

from robot.errors import ConfigurationError
from robot.wire.camera_spec import CameraSpec
from sim.tasks import push as push_goals
from sim.tasks import tabletop as tabletop_goals
from sim.tasks.environments import Environment, EnvironmentName
from sim.tasks.push import push_goal, reach_goal
from sim.tasks.tabletop import tabletop_goal
from sim.tasks.task import Goal, Level, Task, Things
from sim.world.appearance import Appearance, other_light, shifted
from sim.world.lockstep import LockStep

# Separate from play's seed space, so that no goal occurs in training data.
GOAL_SEED_SPACE = 2
# Goals for training, which no benchmark uses.
TRAINING_SEED_SPACE = 3
# Goals that show whether a model knows pictures: how far a goal may differ from play was chosen on others.
PICTURE_SEED_SPACE = 4
ATTEMPTS = 300
# A picture without the arm cannot show a goal for the arm.
_ABOUT_THE_ARM: tuple[Task, ...] = ("reach", "grasp-lift")
# Tasks with goals that one object alone may decide.
_OBJECT_ONLY: tuple[Task, ...] = ("pick-place",)
COUNTED: tuple[Task, ...] = ("pick-place", "stack-two")
"""Tasks with goals among a given number of objects."""
# A task's index seeds its random goals: append new tasks at the end only.
_SEEDED: tuple[Task, ...] = ("push", "reach", "grasp-lift", "pick-place", "stack-two", "rearrange-3")


def make_goal(
    world: LockStep,
    environment: Environment,
    task: Task,
    seed: int,
    number: int,
    space: int = GOAL_SEED_SPACE,
    level: Level = "clean",
    things: Things | None = None,
) -> Goal:
    """Return the held-out goal `number` of `seed`, or one of another seed `space`, with `things` objects on the table
    or any number; it is the same in each call, and never reached at the start. `world` keeps the goal's appearance, and
    must be made for the level and the things. Raises `ConfigurationError` as `require_goals` does, and when no goal can
    be made."""
    require_goals(environment, task, level, things)
    seeds = [space, _SEEDED.index(task), seed, number]
    rng = np.random.default_rng(seeds)
    world.appear(_appearance(world.camera, level, np.random.default_rng([*seeds, 1])))
    for _ in range(ATTEMPTS):
        if environment.name == "push":
            goal = push_goal(world, rng, number) if task == "push" else reach_goal(world, rng, number)
        else:
            goal = tabletop_goal(world, task, rng, number, level, things)
        if goal is not None:
            _refuse_solved(goal)
            return goal
    raise ConfigurationError(
        f"no {task} goal could be found in {ATTEMPTS} attempts; does the camera {world.camera.name!r} see the table?"
    )


def shows_goals(environment: Environment, task: Task, level: Level) -> bool:
    """Return whether the environment has goals of this task at this level."""
    if level == "object-only" and task not in _OBJECT_ONLY:
        return False
    return level in environment.levels and not (level == "no-arm" and task in _ABOUT_THE_ARM)


def require_goals(environment: Environment, task: Task, level: Level, things: Things | None) -> None:
    """Raise `ConfigurationError` for a task, a level or a number of `things` for which the environment has no goals."""
    if task not in environment.tasks:
        raise ConfigurationError(
            f"the environment {environment.name!r} has no task {task!r}; it has {', '.join(environment.tasks)}"
        )
    if not shows_goals(environment, task, level):
        raise ConfigurationError(f"the environment {environment.name!r} shows no {task} goal at the level {level!r}")
    if things is None:
        return
    if environment.name != "tabletop" or task not in COUNTED:
        raise ConfigurationError(
            f"goals among a given number of things are made for {', '.join(COUNTED)} on the tabletop, not for {task}"
        )
    if task == "stack-two" and things < 2:
        raise ConfigurationError("a stack of two needs at least two things: give --things 2, 3 or 5")
    if level == "cluttered" and things > len(environment.objects):
        raise ConfigurationError(f"the table has no room for {things} things and those of the level cluttered")


def _appearance(camera: CameraSpec, level: Level, rng: np.random.Generator) -> Appearance:
    """Return the world's appearance at a level; `camera` is the camera's nominal pose."""
    if level == "shifted":
        return Appearance(shifted(camera, rng))
    return Appearance(camera, other_light(rng)) if level == "lit" else Appearance(camera)


def budget(environment: EnvironmentName, task: Task) -> int:
    """Return the number of blocks that an agent has for a goal."""
    return push_goals.BUDGET_BLOCKS if environment == "push" else tabletop_goals.BUDGET_BLOCKS[task]


def _refuse_solved(goal: Goal) -> None:
    """Raise `ConfigurationError` when a goal is reached at the start: its success would mean nothing."""
    if goal.start_distance <= goal.tolerance:
        raise ConfigurationError(
            f"goal {goal.number} of {goal.task} is reached at the start; no model can be judged on it"
        )


def make_goals(
    world: LockStep,
    environment: Environment,
    task: Task,
    seed: int,
    count: int,
    level: Level = "clean",
    things: Things | None = None,
) -> list[Goal]:
    """Return the first `count` held-out goals of `seed`."""
    return [make_goal(world, environment, task, seed, number, level=level, things=things) for number in range(count)]
