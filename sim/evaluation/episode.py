"""One evaluation episode in lock-step: the agent decides, the world moves, the judge takes notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from control.interfaces import Decider
from robot.embodiment.tool_displacement import ToolDisplacement
from sim.tasks.task import Goal, Subgoals
from sim.world.block_runner import BlockRunner
from sim.world.lockstep import LockStep


class EpisodeRecord(msgspec.Struct, frozen=True):
    """What the judge saw. `success`: within tolerance at some block's end within the budget; `declared`: the agent said
    done; `success_declared`: within tolerance when it said so. Distances in m, times in ms; `late` decisions came after
    their block had begun, which only happens in real time."""

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


def run_episode(
    world: LockStep, convention: ToolDisplacement, decider: Decider, goal: Goal, subgoals: Subgoals = "none"
) -> EpisodeRecord:
    """Let `decider` go for `goal` from its start, until it says done or the budget is spent."""
    runner = BlockRunner(world, convention)
    world.appear(goal.appearance)
    runner.reset(goal.start.tool, goal.start.objects)
    decider.set_goals(goal.shown(subgoals))
    times: list[float] = []
    distances: list[float] = []
    declared = False
    # One block of hold comes first, while the first decision is made; it counts.
    for _ in range(goal.budget):
        decision = decider.decide(world.observe(), runner.committed)
        times.append(1e3 * decision.seconds)
        if decision.reached:
            declared = True
            break
        runner.run_block(decision.action)
        distances.append(distance_left(world, goal))
    return judged(goal, distances, distance_left(world, goal), declared, len(distances), times)


class Judged(Protocol):
    """What the judge needs of a goal."""

    @property
    def number(self) -> int:
        """Which one it is."""

    @property
    def start_distance(self) -> float:
        """How far from it things begin."""

    @property
    def tolerance(self) -> float:
        """How near counts as reached."""


def judged(
    goal: Judged,
    along: Sequence[float],
    final: float,
    declared: bool,
    blocks: int,
    decision_ms: Sequence[float],
    late: int = 0,
) -> EpisodeRecord:
    """Return the record of an episode: its distances to the goal (m) `along` the blocks' ends and at last, `final`."""
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


def distance_left(world: LockStep, goal: Goal) -> float:
    """Return how far (m) the world is from `goal` now; for the judge."""
    return goal.distance(world.observe_tool(), world.scene.objects())
