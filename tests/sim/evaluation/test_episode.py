from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from control.agent import Agent
from control.decision import Decision
from control.model.trained_model import TrainedModel
from control.policies import Method, make_agent
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.observation import Observation
from robot.errors import ThingNotFound
from sim.evaluation.episode import EpisodeRecord, run_episode
from sim.policies.interface import Start
from sim.tasks.environments import PUSH
from sim.tasks.goals import make_goal
from sim.tasks.push import BUDGET_BLOCKS
from sim.tasks.task import Goal, Task
from sim.world.lockstep import LockStep
from tests.tiny import EMBODIMENT, critic_says, trained

NEVER, AT_ONCE = -1.0, 1e9


@pytest.fixture(scope="module")
def push(world: LockStep) -> Goal:
    return make_goal(world, PUSH, "push", 0, 0)


def agent(method: Method, block_change: float = NEVER, seed: int = 0) -> Agent:
    """An agent of an untrained model that is content when the latents differ by `block_change`."""
    made = trained()
    card = msgspec.structs.replace(made.card, block_change=block_change)
    return make_agent(TrainedModel(card, critic_says(made.parts)), method, seed)


class Sweeper:
    """A decider from elsewhere that goes the same way all the time, without a model."""

    name = "sweeper"
    embodiment = EMBODIMENT

    def set_goals(self, pictures: Sequence[np.ndarray]) -> None:
        """Any goal will do."""

    def decide(self, observation: Observation, committed: np.ndarray) -> Decision:
        return Decision(np.array([0.0, 0.5]), 1.0, False, 0.0, None, 1e-3)


class Masking(Sweeper):
    """The same, which can leave things out of a goal, and knows one thing."""

    def __init__(self, masks_goals: bool = True) -> None:
        self.masks_goals = masks_goals
        self.only: tuple[str, ...] | None = None

    def set_goals(self, pictures: Sequence[np.ndarray], only: Sequence[str] = ()) -> None:
        self.only = tuple(only)
        if not {"cube"} >= set(only):
            raise ThingNotFound("nothing of this name")


def test_what_a_goal_asks_for_is_passed_to_those_who_can_leave_the_rest_out(world: LockStep, push: Goal) -> None:
    one = replace(push, only=("cube",), budget=1)
    for decider, goal, only in ((Masking(), one, ("cube",)), (Masking(), push, ()), (Masking(False), one, ())):
        run_episode(world, PLANAR_PUSH, decider, replace(goal, budget=1))
        assert decider.only == only
    assert run_episode(world, PLANAR_PUSH, Sweeper(), one).blocks == 1


def test_a_goal_whose_thing_is_not_found_is_not_reached(world: LockStep, push: Goal) -> None:
    record = run_episode(world, PLANAR_PUSH, Masking(), replace(push, only=("cube", "cup")))
    assert (record.success, record.declared, record.blocks, record.decisions) == (False, False, 0, 1)
    assert record.final_distance_m == pytest.approx(push.start_distance, abs=1e-3)


def timeless(record: EpisodeRecord) -> EpisodeRecord:
    """The record without what no run repeats."""
    return msgspec.structs.replace(record, decision_ms=(0.0,) * len(record.decision_ms))


def assert_consistent(record: EpisodeRecord, goal: Goal) -> None:
    assert record.goal == goal.number
    assert record.start_distance_m == goal.start_distance
    assert 0 <= record.least_distance_m <= record.final_distance_m
    assert record.success == (record.least_distance_m <= goal.tolerance)
    assert record.success_declared == (record.declared and record.final_distance_m <= goal.tolerance)
    assert len(record.decision_ms) == record.decisions and min(record.decision_ms) > 0
    assert record.blocks == record.decisions - record.declared <= BUDGET_BLOCKS
    assert record.late == 0


@pytest.mark.parametrize("task", ["push", "reach"])
def test_holding_leaves_the_world_as_it_was(world: LockStep, task: Task) -> None:
    goal = make_goal(world, PUSH, task, 0, 1)
    record = run_episode(world, PLANAR_PUSH, agent("hold"), goal)
    assert_consistent(record, goal)
    assert record.final_distance_m == pytest.approx(goal.start_distance, abs=1e-3)
    assert record.least_distance_m == pytest.approx(goal.start_distance, abs=1e-3)
    assert (record.success, record.declared, record.success_declared) == (False, False, False)
    assert record.blocks == record.decisions == BUDGET_BLOCKS
    assert (record.things, record.things_in_place) == (1, 0.0 if task == "push" else None)


def test_an_agent_that_is_content_at_once_ends_it_and_earns_nothing(world: LockStep, push: Goal) -> None:
    record = run_episode(world, PLANAR_PUSH, agent("random", AT_ONCE), push)
    assert_consistent(record, push)
    assert (record.declared, record.success, record.success_declared) == (True, False, False)
    assert (record.decisions, record.blocks) == (3, 2)  # twice is not believed


def test_to_say_done_at_the_goal_is_a_success_of_both_kinds(world: LockStep, push: Goal) -> None:
    there = msgspec.structs.replace(push.start.objects[0], position=push.objects[0].position)
    tool = np.clip(push.tool, PLANAR_PUSH.bounds.lower, PLANAR_PUSH.bounds.upper)
    solved = replace(push, number=5, start=Start(PLANAR_PUSH.start(tool), (there,)))
    record = run_episode(world, PLANAR_PUSH, agent("hold", AT_ONCE), solved)
    assert_consistent(record, solved)
    assert (record.success, record.declared, record.success_declared) == (True, True, True)
    assert record.things_in_place == 1.0


def test_what_was_reached_on_the_way_counts_within_the_budget(world: LockStep, push: Goal) -> None:
    """A tool that sweeps over its goal and beyond was there, but does not end there."""
    start = np.array([0.40, -0.20, 0.045])
    goal_tool = start + [0.0, 0.10, 0.0]
    away = msgspec.structs.replace(push.start.objects[0], position=(0.60, 0.0, 0.03))
    goal = Goal(
        "reach",
        0,
        Start(PLANAR_PUSH.start(start), (away,)),
        push.pictures,
        goal_tool,
        (away,),
        BUDGET_BLOCKS,
        push.appearance,
    )
    record = run_episode(world, PLANAR_PUSH, Sweeper(), goal)
    assert_consistent(record, goal)
    assert record.success and record.final_distance_m > 0.1 and not record.success_declared


@pytest.mark.parametrize("method", ["full", "random"])
def test_a_record_depends_on_seed_and_goal_alone(world: LockStep, push: Goal, method: Method) -> None:
    """Nothing that the agent or the world did before matters."""
    one, other = agent(method), agent(method)
    first = run_episode(world, PLANAR_PUSH, one, push)
    assert_consistent(first, push)
    run_episode(world, PLANAR_PUSH, other, make_goal(world, PUSH, "reach", 0, 0))
    again = run_episode(world, PLANAR_PUSH, other, push)
    assert timeless(again) == timeless(first)
    assert timeless(run_episode(world, PLANAR_PUSH, one, push)) == timeless(first)


def test_another_seed_moves_otherwise(world: LockStep) -> None:
    goal = make_goal(world, PUSH, "reach", 0, 0)
    records = [run_episode(world, PLANAR_PUSH, agent("random", seed=seed), goal) for seed in (0, 1)]
    assert records[0].final_distance_m != records[1].final_distance_m
