from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from robot.action import PLANAR_PUSH
from sim.lockstep import LockStep
from sim.play import TABLE_LOWER, TABLE_UPPER, Start, random_start
from sim.play_process import PLAY_SEED_SPACE
from sim.tasks import GOAL_SEED_SPACE, TASKS, Goal, Task, make_goal, make_goals
from sim.view import front_camera

COUNT = 4


@pytest.fixture(scope="module")
def goals(world: LockStep) -> dict[Task, list[Goal]]:
    """The first goals of seed 0."""
    return {task: make_goals(world, PLANAR_PUSH, task, 0, COUNT) for task in TASKS}


def assert_same(one: Goal, other: Goal) -> None:
    """Assert that two goals are equal to the last bit."""
    for field in dataclasses.fields(Goal):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def same_start(goal: Goal, start: Start) -> bool:
    return bool((goal.start_tool == start.tool).all()) or goal.start_object == start.cube


@pytest.mark.parametrize("task", TASKS)
def test_a_goal_depends_on_seed_and_number_alone(world: LockStep, goals: dict[Task, list[Goal]], task: Task) -> None:
    other = LockStep(front_camera(32, 32))
    try:
        for number in reversed(range(COUNT)):  # not in order, with other tasks between, and in a fresh world
            assert_same(make_goal(world, PLANAR_PUSH, task, 0, number), goals[task][number])
            make_goal(world, PLANAR_PUSH, TASKS[1 - TASKS.index(task)], 3, number)
        assert_same(make_goal(other, PLANAR_PUSH, task, 0, COUNT - 1), goals[task][-1])
    finally:
        other.close()


def test_seeds_tasks_and_numbers_give_other_goals(world: LockStep, goals: dict[Task, list[Goal]]) -> None:
    made = [*goals["push"], *goals["reach"], *(make_goal(world, PLANAR_PUSH, task, 1, 0) for task in TASKS)]
    for index, goal in enumerate(made):
        for other in made[:index]:
            assert not (goal.start_tool == other.start_tool).all()
            assert goal.start_object != other.start_object
            assert not np.array_equal(goal.picture, other.picture)


@pytest.mark.parametrize("task", TASKS)
def test_the_start_is_far_from_the_goal(goals: dict[Task, list[Goal]], task: Task) -> None:
    for number, goal in enumerate(goals[task]):
        assert (goal.task, goal.number) == (task, number)
        assert goal.start_distance >= 0.08 > goal.tolerance
        assert goal.distance(goal.tool, np.asarray(goal.object.position)) == 0.0
        moved = np.subtract(goal.object.position, goal.start_object.position)
        if task == "push":
            assert goal.start_distance == pytest.approx(np.linalg.norm(moved[:2]))
        else:
            assert goal.start_distance == pytest.approx(np.linalg.norm(goal.start_tool - goal.tool))
            assert np.linalg.norm(moved) < 1e-3, "to reach, nothing must be pushed"


def test_goals_lie_in_view_and_within_the_actions_bounds(goals: dict[Task, list[Goal]]) -> None:
    lower, upper = np.asarray(PLANAR_PUSH.bounds.lower), np.asarray(PLANAR_PUSH.bounds.upper)
    for goal in [*goals["push"], *goals["reach"]]:
        for place in (goal.object, goal.start_object):
            assert (place.position[:2] > TABLE_LOWER).all() and (place.position[:2] < TABLE_UPPER).all()
        for tool in (goal.tool, goal.start_tool):
            assert (tool > lower - 0.01).all() and (tool < upper + 0.01).all()


def test_the_picture_shows_the_cube_where_the_goal_has_it(world: LockStep, goals: dict[Task, list[Goal]]) -> None:
    for goal in goals["push"]:
        picture = goal.picture.astype(int)
        assert picture.shape == (32, 32, 3) and goal.picture.dtype == np.uint8
        # Something of it is left to see even when the hand is before it.
        assert (picture[..., 0] - picture[..., 1:].max(axis=2)).max() > 60
        world.reset(PLANAR_PUSH, PLANAR_PUSH.start(goal.tool), [goal.object])
        shown = world.observe().image.astype(int)
        assert (np.abs(shown - picture).max(axis=2) > 40).mean() < 0.05


def test_the_judge_of_push_looks_at_the_cube_and_that_of_reach_at_the_tool(goals: dict[Task, list[Goal]]) -> None:
    for task, seen in (("push", (0.0, 0.05)), ("reach", (0.02, 0.0))):
        goal = goals[task][0]  # type: ignore[index]
        cube = np.asarray(goal.object.position)
        assert goal.distance(goal.tool + [0.02, 0, 0], cube) == pytest.approx(seen[0])
        assert goal.distance(goal.tool, cube + [0.03, 0.04, 0.1]) == pytest.approx(seen[1])


def test_no_episode_of_play_starts_where_a_goal_does(goals: dict[Task, list[Goal]]) -> None:
    assert GOAL_SEED_SPACE != PLAY_SEED_SPACE
    for seed in (0, 1, 2, 7):
        for index in range(300):
            start = random_start(np.random.default_rng([PLAY_SEED_SPACE, seed, index]), PLANAR_PUSH)
            for task in TASKS:
                assert not any(same_start(goal, start) for goal in goals[task])
