from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch

from control.agent import Agent
from control.decision import Decision
from control.model.trained_model import TrainedModel, new_parts
from control.policies import make_agent
from robot.arm.interface import Vector
from robot.embodiment.observation import Observation
from robot.errors import Refused, ThingNotFound
from sim.evaluation.real_time import RealTime
from sim.policies.interface import Start
from sim.tasks.environments import PUSH
from sim.tasks.goals import make_goal
from sim.tasks.push import BUDGET_BLOCKS
from sim.tasks.task import Goal
from sim.world.lockstep import LockStep
from tests.sim.execution.children import assert_gone, of_kind
from tests.sim.untrained import NEVER, untrained_card
from tests.tiny import critic_says

pytestmark = [pytest.mark.real_time, pytest.mark.alone]


@pytest.fixture(scope="module")
def goals() -> Iterator[list[Goal]]:
    world = LockStep(untrained_card().embodiment.camera)
    yield [make_goal(world, PUSH, "push", 0, number) for number in range(2)]
    world.close()


def agent(block_change: float = NEVER) -> Agent:
    """One that holds, and says done at once when `block_change` is large."""
    card = untrained_card(block_change)
    torch.manual_seed(0)
    parts = critic_says(new_parts(card.world_model, card.heads))
    for part in parts.named().values():
        part.eval().requires_grad_(False)
    return make_agent(TrainedModel(card, parts), "hold")


class Unseeing(Agent):
    """One that can leave things out of a goal, and finds none."""

    masks_goals = True

    def set_goals(self, pictures: Sequence[np.ndarray], only: Sequence[str] = ()) -> None:
        if only:
            raise ThingNotFound("nothing of this name")
        super().set_goals(pictures)


def test_a_judge_beside_the_agent_sees_that_nothing_moved(goals: list[Goal]) -> None:
    stage = RealTime(agent())
    with stage:
        started = [*of_kind("driver"), *of_kind("camera")]
        episode = stage.run(goals[0])
        assert stage.timing() == []
    record = episode.record
    assert record.goal == 0 and record.start_distance_m == goals[0].start_distance
    for decision in episode.decisions:
        assert decision.distance_m == pytest.approx(goals[0].start_distance, abs=1.5e-3)
    assert record.final_distance_m == pytest.approx(goals[0].start_distance, abs=1.5e-3)
    assert not (record.success or record.declared or record.success_declared)
    assert 0 < record.decisions == len(episode.decisions) == len(record.decision_ms) <= BUDGET_BLOCKS
    assert record.blocks == BUDGET_BLOCKS
    # The agent saw the goal's start: the cube there, and a picture of the right size.
    assert episode.outcome.first.shape == goals[0].picture.shape
    assert len(started) == 2 and stage.timing()
    assert_gone(started, 0.0)


def test_one_goal_after_another_and_a_word_of_success_that_is_not_earned(goals: list[Goal]) -> None:
    made = agent(1e9)
    with RealTime(Unseeing(made.trained, made.policy, made.trained.decision_config)) as stage:
        unfound = stage.measure(replace(goals[0], only=("cube",)))
        assert (unfound.declared, unfound.success, unfound.decisions, unfound.blocks) == (False, False, 1, 0)
        for goal in goals:
            episode = stage.run(goal)
            record = episode.record
            assert (record.goal, record.declared, record.success, record.success_declared) == (
                goal.number,
                True,
                False,
                False,
            )
            assert (record.decisions, record.blocks) == (3, 2)
            tool = episode.decisions[0].step.state[:3]
            np.testing.assert_allclose(tool, goal.start.tool.position, atol=3e-3)


class Pressing(Agent):
    """One whose third decision the driver would answer with a fault."""

    asked = 0

    def decide(self, observation: Observation, committed: Vector) -> Decision:
        running = observation.time_ns > 0  # not while it warms up
        self.asked += running
        if running and self.asked == 3:
            raise Refused("fault", "a joint does not follow")
        return super().decide(observation, committed)


def test_a_fault_of_the_arm_ends_one_goal_and_not_those_after_it(goals: list[Goal]) -> None:
    made = agent()
    with RealTime(Pressing(made.trained, made.policy, made.trained.decision_config)) as stage:
        ended = stage.run(goals[0])
        assert ended.fault == "a joint does not follow" and len(ended.decisions) == 2
        assert (ended.record.success, ended.record.declared) == (False, False)
        assert ended.record.final_distance_m == pytest.approx(goals[0].start_distance, abs=1.5e-3)
        after = stage.run(goals[1])
    assert after.fault == "" and len(after.decisions) > 10


def test_said_at_the_goal_it_is_a_success(goals: list[Goal]) -> None:
    goal = goals[1]
    there = msgspec.structs.replace(goal.start.objects[0], position=goal.objects[0].position)
    solved = replace(goal, number=1, start=Start(goal.start.tool, (there,)))
    assert np.linalg.norm(goal.start.tool.position[:2] - np.asarray(there.position[:2])) > 0.06, "they must not overlap"
    with RealTime(agent(1e9)) as stage:
        record = stage.run(solved).record
    assert record.declared and record.success and record.success_declared and record.things_in_place == 1.0
