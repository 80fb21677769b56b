"""One evaluation episode in lock-step: the agent decides, the world moves, the judge records distances. The judge is
the success check, which alone knows the ground truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from control.interfaces import Decider, MasksGoals
from robot.arm.interface import ObjectPose
from robot.embodiment.tool_displacement import ToolDisplacement
from robot.errors import ThingNotFound
from sim.tasks.task import Goal, Subgoals
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep


class EpisodeRecord(msgspec.Struct, frozen=True):
    """The result of one episode. `success`: within tolerance at the end of any block within the budget; `declared`: the
    agent declared the goal reached; `success_declared`: within tolerance when it declared that. Distances are in m,
    times in ms. `late` counts decisions that came after their block had begun, which happens only in real time.
    `things` is the number of objects on the table without distractors, and `things_in_place` the share of those that
    count which are within tolerance at the end; None where a goal asks for none."""

    goal: int
    start_distance_m: float
    final_distance_m: float
    least_distance_m: float
    success: bool
    declared: bool
    success_declared: bool
    blocks: int
    decisions: int
    decision_ms: tuple[float, ...]
    late: int = 0
    things: int | None = None
    things_in_place: float | None = None


def run_episode(
    world: LockStep, convention: ToolDisplacement, decider: Decider, goal: Goal, subgoals: Subgoals = "none"
) -> EpisodeRecord:
    """Run `decider` on `goal` from its start, until it declares the goal reached or the budget is spent. A decider that
    does not find the goal's things in its picture does nothing (`not_found`)."""
    runner = BlockRunner(world, convention)
    world.appear(goal.appearance)
    runner.reset(goal.start.tool, goal.start.objects)
    began = time.perf_counter()
    try:
        begin(decider, goal, subgoals)
    except ThingNotFound:
        return not_found(goal, 1e3 * (time.perf_counter() - began))
    times: list[float] = []
    distances: list[float] = []
    declared = False
    # The first block holds while the first decision is made; it counts towards the budget.
    for _ in range(goal.budget):
        decision = decider.decide(world.observe(), runner.committed)
        times.append(1e3 * decision.seconds)
        if decision.reached:
            declared = True
            break
        runner.run_block(decision.action)
        distances.append(distance_left(world, goal))
    record = judged(goal, distances, distance_left(world, goal), declared, len(distances), times)
    return counted(record, goal, world.scene.objects())


def begin(decider: Decider, goal: Goal, subgoals: Subgoals) -> None:
    """Set the goals of `decider`. Where only some things count, it gets their names, if it can leave the others out.
    Raises as `Decider.set_goals` and `MasksGoals.set_goals`."""
    pictures = goal.shown(subgoals)
    if goal.only and isinstance(decider, MasksGoals) and decider.masks_goals:
        decider.set_goals(pictures, goal.only)
    else:
        decider.set_goals(pictures)


def not_found(goal: Goal, milliseconds: float) -> EpisodeRecord:
    """Return the record of a decider that does not find the goal's things in the goal's picture. Its one decision took
    `milliseconds`, and the world stays as it is at the start."""
    record = judged(goal, [], goal.start_distance, False, 0, [milliseconds])
    return counted(record, goal, goal.start.objects)


class Judged(Protocol):
    """The properties of a goal that the judge needs."""

    @property
    def number(self) -> int:
        """The goal's number."""

    @property
    def start_distance(self) -> float:
        """The distance to the goal at the start."""

    @property
    def tolerance(self) -> float:
        """The distance at which the goal counts as reached."""


def judged(
    goal: Judged,
    along: Sequence[float],
    final: float,
    declared: bool,
    blocks: int,
    decision_ms: Sequence[float],
    late: int = 0,
) -> EpisodeRecord:
    """Return the record of an episode from its distances to the goal (m): `along` at the blocks' ends, and `final` at
    the end."""
    least = min([*along, final])
    return EpisodeRecord(
        goal=goal.number,
        start_distance_m=goal.start_distance,
        final_distance_m=final,
        least_distance_m=least,
        success=least <= goal.tolerance,
        declared=declared,
        success_declared=declared and final <= goal.tolerance,
        blocks=blocks,
        decisions=len(decision_ms),
        decision_ms=tuple(decision_ms),
        late=late,
    )


def counted(record: EpisodeRecord, goal: Goal, objects: Sequence[ObjectPose]) -> EpisodeRecord:
    """Return the `record` of an episode that ended with the world's `objects`, with what is counted of them."""
    return msgspec.structs.replace(record, things=goal.things, things_in_place=goal.things_in_place(objects))


def distance_left(world: LockStep, goal: Goal) -> float:
    """Return the world's present distance (m) from `goal`; for the judge."""
    return goal.distance(world.observe_tool(), world.scene.objects())
