"""Tasks: held-out goals as pictures, and the judge that knows in metres whether one was reached.

Goals come from play of seeds that no training data uses. The agent gets the picture; start, goal pose and the judge's
distance stay with the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot.action import ActionConvention
from robot.arm import ObjectPose, Vector
from robot.errors import ConfigurationError
from sim.block_runner import BlockRunner
from sim.lockstep import LockStep
from sim.play import TABLE_LOWER, TABLE_UPPER, PlayPolicy, random_start

Task = Literal["push", "reach"]
TASKS: tuple[Task, ...] = ("push", "reach")

# Apart from play's seed space, so that no goal is ever a training goal.
GOAL_SEED_SPACE = 2
# Goals to train on, which no benchmark asks for.
TRAINING_SEED_SPACE = 3
PUSH_TOLERANCE_M = 0.03
REACH_TOLERANCE_M = 0.02
PUSH_AT_LEAST_M = 0.08
REACH_AT_LEAST_M = 0.08
MARGIN_M = 0.01
# The tool is in view this far outside the part of the table where play begins.
IN_VIEW_M = 0.03
# A picture that hides the object tells nobody where it should be.
SHOWN_AT_LEAST = 0.5
GOAL_BLOCKS = 40
ATTEMPTS = 200
BUDGET_BLOCKS = 40


@dataclass(frozen=True)
class Goal:
    """One held-out goal: where things start, the picture of how they should be, and, for the judge alone, the goal's
    tool position (3,) m and object pose."""

    task: Task
    number: int
    start_tool: Vector
    start_object: ObjectPose
    picture: NDArray[np.uint8]
    tool: Vector
    object: ObjectPose

    def distance(self, tool: Vector, object_position: Vector) -> float:
        """Return how far (m) the world is from the goal: the object's way on the table for push, the tool's for
        reach."""
        if self.task == "push":
            return float(np.linalg.norm(np.asarray(object_position)[:2] - np.asarray(self.object.position)[:2]))
        return float(np.linalg.norm(np.asarray(tool) - self.tool))

    @property
    def tolerance(self) -> float:
        """The distance (m) at which the goal counts as reached."""
        return PUSH_TOLERANCE_M if self.task == "push" else REACH_TOLERANCE_M

    @property
    def start_distance(self) -> float:
        """The distance (m) at the start."""
        return self.distance(self.start_tool, np.asarray(self.start_object.position))


def make_goal(
    world: LockStep, convention: ActionConvention, task: Task, seed: int, number: int, space: int = GOAL_SEED_SPACE
) -> Goal:
    """Return held-out goal `number` of a seed, or one of another seed `space`; the same every time. Never one that is
    reached at the start."""
    rng = np.random.default_rng([space, TASKS.index(task), seed, number])
    for _ in range(ATTEMPTS):
        goal = _push(world, convention, rng, number) if task == "push" else _reach(world, convention, rng, number)
        if goal is not None:
            _refuse_solved(goal)
            return goal
    raise ConfigurationError(
        f"no {task} goal could be found in {ATTEMPTS} attempts; does the camera {world.camera.name!r} see the table?"
    )


def _push(world: LockStep, convention: ActionConvention, rng: np.random.Generator, number: int) -> Goal | None:
    """Play until the cube has been moved far enough and lies in view; the goal is a frame some blocks later."""
    start = random_start(rng, convention)
    policy = PlayPolicy(rng, convention)
    runner = BlockRunner(world, convention)
    runner.reset(convention.start(start.tool), [start.cube])
    origin = np.asarray(start.cube.position[:2])
    for _ in range(GOAL_BLOCKS):
        cube = world.scene.objects()[0]
        centre = np.asarray(cube.position[:2])
        moved = float(np.linalg.norm(centre - origin))
        inside = bool((centre > TABLE_LOWER).all() and (centre < TABLE_UPPER).all())
        if inside and moved >= PUSH_AT_LEAST_M + MARGIN_M and rng.random() < 0.15:
            goal = _seen(world, "push", number, start.tool, start.cube)
            return goal if shown_share(world) >= SHOWN_AT_LEAST else None
        runner.run_block(policy.act(runner.target.position[:2], centre))
    return None


def shown_share(world: LockStep) -> float:
    """Return how much of the first object the camera sees, of what it would see with the arm out of the way.

    Moves the arm aside in `world`.
    """
    item, arm_aside = world.scene.objects()[0], np.asarray(world.spec.home).copy()
    arm_aside[0] += np.pi / 2
    seen = _object_pixels(world, item)
    world.scene.set_arm(arm_aside, 0.0)
    return seen / max(1, _object_pixels(world, item))


def _object_pixels(world: LockStep, item: ObjectPose) -> int:
    """Count the pixels that change when the object is taken away."""
    world.scene.place([item])
    present = world.scene.render(world.camera)
    world.scene.place([ObjectPose(item.name, (0.0, 0.0, -5.0), item.orientation)])
    absent = world.scene.render(world.camera)
    world.scene.place([item])
    return int((present != absent).any(-1).sum())


def _reach(world: LockStep, convention: ActionConvention, rng: np.random.Generator, number: int) -> Goal | None:
    """The tool elsewhere but in view, the cube where it was and clear of both."""
    start = random_start(rng, convention)
    other = random_start(rng, convention).tool
    shown = bool((other[:2] > TABLE_LOWER - IN_VIEW_M).all() and (other[:2] < TABLE_UPPER + IN_VIEW_M).all())
    clear = float(np.linalg.norm(other[:2] - np.asarray(start.cube.position[:2]))) > PUSH_AT_LEAST_M
    if not shown or not clear or float(np.linalg.norm(other - start.tool)) < REACH_AT_LEAST_M + MARGIN_M:
        return None
    world.reset(convention, convention.start(other), [start.cube])
    return _seen(world, "reach", number, start.tool, start.cube)


def _seen(world: LockStep, task: Task, number: int, start_tool: Vector, start_object: ObjectPose) -> Goal:
    """Take the present world as the goal."""
    seen = world.observe()
    return Goal(task, number, start_tool, start_object, seen.image, seen.state[:3], world.scene.objects()[0])


def _refuse_solved(goal: Goal) -> None:
    """Raise `ConfigurationError` when a goal is reached before anything moved: nobody would have earned the success."""
    if goal.start_distance <= goal.tolerance:
        raise ConfigurationError(
            f"goal {goal.number} of {goal.task} is reached at the start; no model can be judged on it"
        )


def make_goals(camera_world: LockStep, convention: ActionConvention, task: Task, seed: int, count: int) -> list[Goal]:
    """Return the first `count` held-out goals of a seed."""
    return [make_goal(camera_world, convention, task, seed, number) for number in range(count)]
