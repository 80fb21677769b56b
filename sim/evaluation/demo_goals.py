"""The goals of the demo: of one task, or of several tasks in turn among three things."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from robot.embodiment.description import EmbodimentDescription
from sim.tasks.environments import environment_of
from sim.tasks.goals import COUNTED, make_goal
from sim.tasks.task import Goal, Subgoals, Task, Things

DemoTask = Literal["three-things", Task]
IN_TURN: tuple[Task, ...] = ("pick-place", "stack-two", "rearrange-3")
"""The tasks of "three-things"."""


def tasks_of(task: DemoTask, count: int) -> list[Task]:
    """Return the task of each of `count` goals."""
    return [IN_TURN[number % len(IN_TURN)] if task == "three-things" else task for number in range(count)]


def task_of_model(task: DemoTask) -> Task:
    """Return a task that a model for the demo `task` must have."""
    return IN_TURN[0] if task == "three-things" else task


def subgoals_of(task: DemoTask, asked: Subgoals | None) -> Subgoals:
    """Return the sub-goals that were `asked` for; None: one thing after another where there are three things."""
    if asked is not None:
        return asked
    return "things" if task == "three-things" else "none"


def demo_goals(embodiment: EmbodimentDescription, task: DemoTask, seed: int, count: int) -> list[Goal]:
    """Return `count` held-out goals of `seed`, numbered from 0. Those of "three-things" all have three things on the
    table. Raises `ConfigurationError` for a task that the environment of `embodiment` does not have."""
    environment = environment_of(embodiment)
    world = environment.world(embodiment.camera)
    made: list[Goal] = []
    try:
        for number, each in enumerate(tasks_of(task, count)):
            earlier = sum(goal.task == each for goal in made)
            things: Things | None = 3 if task == "three-things" and each in COUNTED else None
            goal = make_goal(world, environment, each, seed, earlier, things=things)
            made.append(replace(goal, number=number))
    finally:
        world.close()
    return made
