from __future__ import annotations

import pytest

from robot.errors import ConfigurationError
from sim.evaluation.demo_goals import demo_goals, subgoals_of, task_of_model, tasks_of
from sim.tasks.environments import ENVIRONMENTS
from sim.tasks.goals import make_goal

TABLETOP = ENVIRONMENTS["tabletop"]
EMBODIMENT = TABLETOP.embodiment(32)


def test_three_things_takes_its_tasks_in_turn_and_a_task_itself() -> None:
    assert tasks_of("three-things", 4) == ["pick-place", "stack-two", "rearrange-3", "pick-place"]
    assert tasks_of("push", 2) == ["push", "push"]
    assert task_of_model("three-things") in TABLETOP.tasks
    assert task_of_model("reach") == "reach"


def test_three_things_are_put_in_place_one_after_another_unless_something_else_is_asked_for() -> None:
    assert subgoals_of("three-things", None) == "things"
    assert subgoals_of("push", None) == "none"
    assert subgoals_of("three-things", "none") == "none"
    assert subgoals_of("stack-two", "given") == "given"


def test_all_goals_of_three_things_have_three_things_and_are_numbered_through() -> None:
    goals = demo_goals(EMBODIMENT, "three-things", 7, 4)
    assert [goal.number for goal in goals] == [0, 1, 2, 3]
    assert [goal.things for goal in goals] == [3, 3, 3, 3]
    assert goals[0].objects != goals[3].objects, "both are picked and placed, and they are not the same goal"


def test_goals_of_one_task_are_those_of_the_benchmark() -> None:
    goal = demo_goals(EMBODIMENT, "pick-place", 7, 1)[0]
    world = TABLETOP.world(EMBODIMENT.camera)
    try:
        assert goal.objects == make_goal(world, TABLETOP, "pick-place", 7, 0).objects
    finally:
        world.close()


def test_a_stack_of_one_thing_is_refused() -> None:
    world = TABLETOP.world(EMBODIMENT.camera)
    try:
        with pytest.raises(ConfigurationError, match="give --things 2, 3 or 5"):
            make_goal(world, TABLETOP, "stack-two", 0, 0, things=1)
    finally:
        world.close()
