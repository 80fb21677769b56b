from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from robot.arm.interface import ObjectPose
from robot.errors import ConfigurationError
from sim.play.batches import PLAY_SEED_SPACE
from sim.policies.interface import Start
from sim.tasks.environments import ENVIRONMENTS, Environment, EnvironmentName
from sim.tasks.goals import GOAL_SEED_SPACE, budget, make_goal, make_goals
from sim.tasks.task import TASKS, TOLERANCE_M, Goal, Task, Things
from sim.world.cameras import tabletop_rig
from sim.world.lockstep import LockStep
from sim.world.scene import GRASPABLE, present

COUNT = 3
EVERY: list[tuple[EnvironmentName, Task]] = [
    (name, task) for name, environment in ENVIRONMENTS.items() for task in environment.tasks
]
Worlds = dict[EnvironmentName, LockStep]
Goals = dict[tuple[EnvironmentName, Task], list[Goal]]


def count(task: Task) -> int:
    """How many goals are looked at: three careful moves take long."""
    return 1 if task == "rearrange-3" else COUNT


def new_world(environment: Environment) -> LockStep:
    return environment.world(environment.camera(32, 32))


@pytest.fixture(scope="module")
def worlds() -> Iterator[Worlds]:
    worlds = {name: new_world(environment) for name, environment in ENVIRONMENTS.items()}
    yield worlds
    for world in worlds.values():
        world.close()


@pytest.fixture(scope="module")
def goals(worlds: Worlds) -> Goals:
    """The first goals of seed 0."""
    return {(name, task): make_goals(worlds[name], ENVIRONMENTS[name], task, 0, count(task)) for name, task in EVERY}


def assert_same(one: Goal, other: Goal) -> None:
    """Assert that two goals are equal to the last bit."""
    assert (one.task, one.number, one.budget) == (other.task, other.number, other.budget)
    assert one.start.objects == other.start.objects and one.objects == other.objects
    np.testing.assert_array_equal(one.start.tool.position, other.start.tool.position)
    np.testing.assert_array_equal(one.tool, other.tool)
    np.testing.assert_array_equal(one.pictures, other.pictures)


def same_start(one: Start, other: Start) -> bool:
    return bool((one.tool.position == other.tool.position).all()) or bool(set(one.objects) & set(other.objects))


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_a_goal_depends_on_seed_and_number_alone(
    worlds: Worlds, goals: Goals, name: EnvironmentName, task: Task
) -> None:
    environment = ENVIRONMENTS[name]
    fresh = new_world(environment)
    try:
        for number in {count(task) - 1, 0}:  # not in order, with other tasks between, and in a fresh world
            assert_same(make_goal(worlds[name], environment, task, 0, number), goals[name, task][number])
            make_goal(worlds[name], environment, "reach", 3, number)
        assert_same(make_goal(fresh, environment, task, 0, count(task) - 1), goals[name, task][-1])
    finally:
        fresh.close()


def test_seeds_tasks_and_numbers_give_other_goals(worlds: Worlds, goals: Goals) -> None:
    for name, environment in ENVIRONMENTS.items():
        made = [goal for task in environment.tasks for goal in goals[name, task]]
        made += [make_goal(worlds[name], environment, task, 1, 0) for task in environment.tasks if count(task) == COUNT]
        for index, goal in enumerate(made):
            for other in made[:index]:
                assert not same_start(goal.start, other.start)
                assert not np.array_equal(goal.picture, other.picture)


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_start_is_far_from_the_goal_and_the_goal_is_at_itself(
    goals: Goals, name: EnvironmentName, task: Task
) -> None:
    for number, goal in enumerate(goals[name, task]):
        assert (goal.task, goal.number, goal.budget) == (task, number, budget(name, task))
        assert goal.start_distance > goal.tolerance == TOLERANCE_M[task]
        assert goal.distance(goal.tool, goal.objects) == 0.0
        assert [item.name for item in goal.objects] == sorted_as_in_scene(goal, ENVIRONMENTS[name])
        moved = [float(np.linalg.norm(np.subtract(*pair))) for pair in moves(goal).values()]
        if task == "reach":
            assert max(moved) < 1e-3, "to reach, nothing must be pushed"
        elif task == "rearrange-3":
            assert len(moved) == 3 and min(moved) >= 0.06, "every object is at another place"
        else:
            assert max(moved) > 0.05 and sum(way > 0.02 for way in moved) == 1, "one object, and no other, is moved"


def moves(goal: Goal) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Where each object is at the start and in the goal."""
    began = {item.name: item.position for item in goal.start.objects}
    return {item.name: (began[item.name], item.position) for item in goal.objects}


def sorted_as_in_scene(goal: Goal, environment: Environment) -> list[str]:
    names = {item.name for item in goal.start.objects}
    return [thing.name for thing in environment.objects if thing.name in names]


def test_goals_lie_within_the_actions_bounds_and_on_the_table(goals: Goals) -> None:
    for (name, _), made in goals.items():
        bounds = ENVIRONMENTS[name].convention.bounds
        lower, upper = np.asarray(bounds.lower) - 0.01, np.asarray(bounds.upper) + 0.01
        for goal in made:
            for tool in (goal.tool, np.asarray(goal.start.tool.position)):
                assert (tool > lower).all() and (tool < upper).all()
            for item in (*goal.objects, *goal.start.objects):
                assert present(item) and (np.asarray(item.position[:2]) > lower[:2]).all()


def test_what_is_to_be_lifted_hangs_in_the_gripper_and_what_is_stacked_lies_on_another(goals: Goals) -> None:
    for goal in goals["tabletop", "grasp-lift"]:
        (began, there), *_ = sorted(moves(goal).values(), key=lambda pair: -pair[1][2])
        assert there[2] - began[2] > 0.05
        assert np.linalg.norm(goal.tool - there) < 0.04
    for goal in goals["tabletop", "stack-two"]:
        assert len(goal.pictures) == 2 and (goal.pictures[0] != goal.pictures[1]).any()
        top = max(goal.objects, key=lambda item: item.position[2])
        below = min(
            (item for item in goal.objects if item is not top),
            key=lambda item: np.linalg.norm(np.subtract(item.position[:2], top.position[:2])),
        )
        assert top.position[2] - below.position[2] > 0.03
        # Beside it, at the same place in the picture, would not do.
        aside = ObjectPose(top.name, (*top.position[:2], 0.022), top.orientation)
        assert goal.distance(goal.tool, [*(o for o in goal.objects if o is not top), aside]) > goal.tolerance


def test_a_rearrangement_shows_each_object_at_its_place_and_pictures_on_the_way(goals: Goals) -> None:
    (goal,) = goals["tabletop", "rearrange-3"]
    assert {item.name for item in goal.objects} == {thing.name for thing in GRASPABLE} and goal.budget == 180
    assert len(goal.pictures) == 3 and goal.shown("none") == goal.pictures[-1:]
    for one, other in zip(goal.pictures, goal.pictures[1:], strict=False):
        assert (one != other).any()
    assert goal.things_in_place(goal.start.objects) == 0.0 and goal.things_in_place(goal.objects) == 1.0
    partly = [*goal.objects[:2], *(item for item in goal.start.objects if item.name == goal.objects[2].name)]
    assert goal.things_in_place(partly) == pytest.approx(2 / 3)
    # The worst object decides.
    assert goal.distance(goal.tool, partly) >= 0.06 > goal.tolerance


def test_only_the_moved_object_counts_where_the_picture_shows_all_others_elsewhere(worlds: Worlds) -> None:
    environment, world = ENVIRONMENTS["tabletop"], worlds["tabletop"]
    clean = make_goal(world, environment, "pick-place", 0, 0, things=3)
    goal = make_goal(world, environment, "pick-place", 0, 0, level="object-only", things=3)
    assert goal.start.objects == clean.start.objects and (goal.picture != clean.picture).any()
    (only,) = goal.only
    assert clean.only == () and moves(clean)[only] == max(
        moves(clean).values(), key=lambda way: np.ptp(way, axis=0).max()
    )
    for name, (before, after) in moves(goal).items():
        assert np.linalg.norm(np.subtract(before, after)) >= 0.06
        assert name != only or np.linalg.norm(np.subtract(after, moves(clean)[name][1])) < 2e-3
    assert np.linalg.norm(goal.tool - clean.tool) > 0.09
    # The others are where they were at the start, as they should be.
    reached = [*(o for o in goal.start.objects if o.name != only), *(o for o in goal.objects if o.name == only)]
    assert goal.distance(goal.tool, reached) == 0.0 and goal.things_in_place(reached) == 1.0
    assert goal.start_distance == pytest.approx(clean.start_distance, abs=2e-3)
    assert goal.things_in_place(goal.start.objects) == 0.0


@pytest.mark.parametrize("things", [1, 2])
def test_as_many_things_are_on_the_table_as_asked_for(worlds: Worlds, things: Things) -> None:
    environment = ENVIRONMENTS["tabletop"]
    goal = make_goal(worlds["tabletop"], environment, "pick-place", 5, 0, things=things)
    assert goal.things == len(goal.start.objects) == things


def test_five_things_include_two_that_play_never_shows() -> None:
    environment = ENVIRONMENTS["tabletop"]
    world = environment.world(environment.camera(32, 32), things=5)
    goal = make_goal(world, environment, "pick-place", 0, 0, things=5)
    world.close()
    names = {item.name for item in goal.objects}
    assert goal.things == 5 and names > {thing.name for thing in GRASPABLE}
    assert sum(np.linalg.norm(np.subtract(*pair)) > 0.02 for pair in moves(goal).values()) == 1


def test_a_goal_may_be_shown_without_the_arm(worlds: Worlds) -> None:
    environment, world = ENVIRONMENTS["tabletop"], worlds["tabletop"]
    goal = make_goal(world, environment, "pick-place", 0, 0, level="no-arm")
    away = environment.convention.start(np.array([0.40, 0.0, 0.335]))
    world.reset(environment.convention, away, goal.objects)
    bare = world.picture()
    assert (np.abs(bare.astype(int) - goal.picture).max(-1) > 40).mean() < 0.01


def test_at_some_levels_the_world_looks_otherwise_than_in_the_data(worlds: Worlds) -> None:
    environment, world = ENVIRONMENTS["tabletop"], worlds["tabletop"]
    clean = make_goal(world, environment, "pick-place", 0, 0)
    for level in ("shifted", "lit"):
        goal = make_goal(world, environment, "pick-place", 0, 0, level=level)
        # The same goal, and another picture of it.
        assert (goal.start.objects, goal.objects) == (clean.start.objects, clean.objects)
        assert (goal.picture != clean.picture).any(-1).mean() > 0.05
        # Whoever goes for it sees the world as it looks there, and the next goal is drawn anew.
        world.reset(environment.convention, goal.start.tool, goal.start.objects)
        np.testing.assert_array_equal(world.picture(), world.observe().picture(world.camera.name))
        again = make_goal(world, environment, "pick-place", 0, 1, level=level)
        assert again.appearance != goal.appearance
    np.testing.assert_array_equal(make_goal(world, environment, "pick-place", 0, 0).picture, clean.picture)
    camera = make_goal(world, environment, "pick-place", 0, 0, level="shifted").appearance.camera
    assert 0.001 < np.abs(np.subtract(camera.position, world.camera.position)).max() <= 0.02
    cosine = abs(np.dot(camera.orientation, world.camera.orientation))
    assert 0.0 < 2 * np.arccos(cosine) <= np.deg2rad(3.0) + 1e-9


def test_the_cameras_of_a_rig_are_each_shifted_by_themselves() -> None:
    environment = ENVIRONMENTS["tabletop"]
    world = environment.world(tabletop_rig(32, 64))
    try:
        goal = make_goal(world, environment, "reach", 0, 0, level="shifted")
    finally:
        world.close()
    assert goal.picture.shape == (64, 32, 3)
    moves = [
        np.subtract(seen.position, stands.position)
        for seen, stands in zip(goal.appearance.camera.views, world.camera.views, strict=True)
    ]
    assert all(0.001 < np.abs(move).max() <= 0.02 for move in moves) and np.abs(moves[0] - moves[1]).max() > 1e-3


def test_clutter_is_of_things_that_play_never_shows(worlds: Worlds) -> None:
    environment = ENVIRONMENTS["tabletop"]
    world = environment.world(environment.camera(32, 32), "cluttered")
    known = {thing.name for thing in GRASPABLE}
    for number in range(2):
        goal = make_goal(world, environment, "pick-place", 0, number, level="cluttered")
        names = {item.name for item in goal.objects}
        assert 2 <= len(names - known) <= 3 and names & known
        # They stay where they are: what is asked for is one of the others elsewhere.
        assert all(
            np.linalg.norm(np.subtract(after, before)) < 0.01
            for n, (before, after) in moves(goal).items()
            if n not in known
        )
    world.close()


def test_the_judge_looks_at_the_tool_to_reach_and_else_at_the_object_that_is_farthest_off(goals: Goals) -> None:
    for (_, task), made in goals.items():
        goal = max(made, key=lambda goal: len(goal.objects))
        first, *others = goal.objects
        x, y, z = first.position
        moved = ObjectPose(first.name, (x + 0.03, y - 0.04, z + 0.02), first.orientation)
        expected = {"reach": 0.0, "push": 0.05, "grasp-lift": np.sqrt(0.0029)}.get(task, 0.06)
        assert goal.distance(goal.tool, [moved, *others]) == pytest.approx(expected)
        expected = 0.02 if task == "reach" else 0.0
        assert goal.distance(goal.tool + [0.02, 0, 0], goal.objects) == pytest.approx(expected)


def test_a_task_that_a_playground_lacks_is_refused(worlds: Worlds) -> None:
    with pytest.raises(ConfigurationError, match=r"'push' has no task 'stack-two'; it has reach, push"):
        make_goal(worlds["push"], ENVIRONMENTS["push"], "stack-two", 0, 0)
    assert set(ENVIRONMENTS["tabletop"].tasks) == set(TASKS)
    with pytest.raises(ConfigurationError, match=r"no grasp-lift goal at the level 'no-arm'"):
        make_goal(worlds["tabletop"], ENVIRONMENTS["tabletop"], "grasp-lift", 0, 0, level="no-arm")
    with pytest.raises(ConfigurationError, match=r"'push' shows no push goal at the level 'no-arm'"):
        make_goal(worlds["push"], ENVIRONMENTS["push"], "push", 0, 0, level="no-arm")
    with pytest.raises(ConfigurationError, match=r"no stack-two goal at the level 'object-only'"):
        make_goal(worlds["tabletop"], ENVIRONMENTS["tabletop"], "stack-two", 0, 0, level="object-only")
    with pytest.raises(ConfigurationError, match=r"made for pick-place, stack-two on the tabletop, not for push"):
        make_goal(worlds["tabletop"], ENVIRONMENTS["tabletop"], "push", 0, 0, things=2)
    with pytest.raises(ConfigurationError, match=r"no room for 5 things"):
        make_goal(worlds["tabletop"], ENVIRONMENTS["tabletop"], "pick-place", 0, 0, level="cluttered", things=5)


def test_no_episode_of_play_starts_where_a_goal_does(goals: Goals) -> None:
    assert GOAL_SEED_SPACE != PLAY_SEED_SPACE
    for (name, _), made in goals.items():
        environment = ENVIRONMENTS[name]
        for index in range(200):
            rng = np.random.default_rng([PLAY_SEED_SPACE, 0, index])
            start = environment.start(rng, environment.convention)
            assert not any(same_start(goal.start, start) for goal in made)
