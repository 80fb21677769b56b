"""Tasks: held-out goals as pictures, and the judge that knows in metres whether one was reached.

Goals come from play of seeds that no training data uses. The agent gets the picture; start, goal poses and the judge's
distance stay with the benchmark.
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
from sim.tasks.task import Goal, Level, Task
from sim.world.appearance import Appearance, other_light, shifted
from sim.world.lockstep import LockStep

# Apart from play's seed space, so that no goal is ever a training goal.
GOAL_SEED_SPACE = 2
# Goals to train on, which no benchmark asks for.
TRAINING_SEED_SPACE = 3
ATTEMPTS = 300
# A picture without the arm cannot ask where the arm should be.
_ABOUT_THE_ARM: tuple[Task, ...] = ("reach", "grasp-lift")
# Their order numbers the tasks' own random goals; only ever add to its end.
_SEEDED: tuple[Task, ...] = ("push", "reach", "grasp-lift", "pick-place", "stack-two")


def make_goal(
    world: LockStep,
    environment: Environment,
    task: Task,
    seed: int,
    number: int,
    space: int = GOAL_SEED_SPACE,
    level: Level = "clean",
) -> Goal:
    """Return held-out goal `number` of a seed, or one of another seed `space`; the same every time. Never one that is
    reached at the start. Leaves `world` looking as the goal does, which for cluttered needs one made for that
    level. Raises `ConfigurationError` for a task or a level that the environment does not have."""
    if task not in environment.tasks:
        raise ConfigurationError(
            f"the environment {environment.name!r} has no task {task!r}; it has {', '.join(environment.tasks)}"
        )
    if level not in environment.levels or (level == "no-arm" and task in _ABOUT_THE_ARM):
        raise ConfigurationError(f"the environment {environment.name!r} shows no {task} goal at the level {level!r}")
    seeds = [space, _SEEDED.index(task), seed, number]
    rng = np.random.default_rng(seeds)
    world.appear(_appearance(world.camera, level, np.random.default_rng([*seeds, 1])))
    for _ in range(ATTEMPTS):
        if environment.name == "push":
            goal = push_goal(world, rng, number) if task == "push" else reach_goal(world, rng, number)
        else:
            goal = tabletop_goal(world, task, rng, number, level)
        if goal is not None:
            _refuse_solved(goal)
            return goal
    raise ConfigurationError(
        f"no {task} goal could be found in {ATTEMPTS} attempts; does the camera {world.camera.name!r} see the table?"
    )


def _appearance(camera: CameraSpec, level: Level, rng: np.random.Generator) -> Appearance:
    """Return how the world looks at a level, to a `camera` that should stand as it does."""
    if level == "shifted":
        return Appearance(shifted(camera, rng))
    return Appearance(camera, other_light(rng)) if level == "lit" else Appearance(camera)


def budget(environment: EnvironmentName, task: Task) -> int:
    """Return how many blocks an agent has for a goal."""
    return push_goals.BUDGET_BLOCKS if environment == "push" else tabletop_goals.BUDGET_BLOCKS[task]


def _refuse_solved(goal: Goal) -> None:
    """Raise `ConfigurationError` when a goal is reached before anything moved: nobody would have earned the success."""
    if goal.start_distance <= goal.tolerance:
        raise ConfigurationError(
            f"goal {goal.number} of {goal.task} is reached at the start; no model can be judged on it"
        )


def make_goals(
    world: LockStep, environment: Environment, task: Task, seed: int, count: int, level: Level = "clean"
) -> list[Goal]:
    """Return the first `count` held-out goals of a seed."""
    return [make_goal(world, environment, task, seed, number, level=level) for number in range(count)]
