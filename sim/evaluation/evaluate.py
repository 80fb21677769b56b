"""Evaluates one decider on held-out goals, one after another, in lock-step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from control.agent import Subgoals as OwnSubgoals
from control.decision_config import with_changes
from control.interfaces import Decider
from control.model.trained_model import load_trained
from control.policies import Method, make_agent
from robot.embodiment.observation import Observation
from sim.evaluation.episode import EpisodeRecord, run_episode
from sim.evaluation.summary import Measured
from sim.execution.map_work import map_items
from sim.tasks.environments import Environment, environment_of
from sim.tasks.goals import make_goal
from sim.tasks.task import Level, Subgoals, Task, Things
from sim.world.lockstep import LockStep

WARMING_UP = 3
GOALS_PER_ITEM = 5


@dataclass(frozen=True)
class Measurement:
    """The definition of a measurement: a task at a level, the seed of its goals, the sub-goals, and the number of
    graspable objects on the table, None for any."""

    task: Task
    level: Level
    subgoals: Subgoals
    seed: int
    things: Things | None = None


def own_subgoals(subgoals: Subgoals) -> OwnSubgoals:
    """Return which sub-goals the agent is to find by itself."""
    return "none" if subgoals == "given" else subgoals


def measure(
    world: LockStep, environment: Environment, what: Measurement, decider: Decider, numbers: Iterable[int]
) -> Iterator[EpisodeRecord]:
    """Yield the record of each of the goals `numbers` in `world`, which must be made for the level."""
    _warm_up(decider, world, environment)
    for number in numbers:
        goal = make_goal(world, environment, what.task, what.seed, number, level=what.level, things=what.things)
        yield run_episode(world, environment.convention, decider, goal, what.subgoals)


def measure_agent(
    checkpoint: Path,
    method: Method,
    what: Measurement,
    numbers: range,
    workers: int,
    ray: str | None,
    changes: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[EpisodeRecord]:
    """Yield the records of the goals `numbers` with the agent of a checkpoint; the work is distributed by `map_items`.
    The agent decides by the settings in the checkpoint's card, with `changes` applied by `with_changes`.

    Each goal's result is independent of the distribution; only the decision times grow where cores are shared.
    """
    run = partial(_measure_some, checkpoint=checkpoint, method=method, what=what, changes=dict(changes))
    if workers == 1 and ray is None:
        yield from run(numbers)
        return
    parts = [numbers[first : first + GOALS_PER_ITEM] for first in range(0, len(numbers), GOALS_PER_ITEM)]
    for records in map_items(partial(_measured, run=run), parts, workers, ray):
        yield from records


def collect(records: Iterable[EpisodeRecord], total: int, what: Measured, method: str) -> list[EpisodeRecord]:
    """Return all of `records`, and show the progress."""
    kept: list[EpisodeRecord] = []
    with tqdm(records, total=total, desc=f"{what.task}, {what.level}, {method}", unit="goal") as bar:
        for record in bar:
            kept.append(record)
            bar.set_postfix_str(f"{sum(record.success for record in kept)}/{len(kept)} reached")
    return kept


def _measured(numbers: range, run: partial[Iterator[EpisodeRecord]]) -> list[EpisodeRecord]:
    """Measure the goals `numbers`; runs in a worker process."""
    return list(run(numbers))


def _measure_some(
    numbers: range, checkpoint: Path, method: Method, what: Measurement, changes: Mapping[str, Any]
) -> Iterator[EpisodeRecord]:
    # One thread is fastest where processes share the cores, and gives results that do not depend on the number of
    # cores.
    torch.set_num_threads(1)
    trained = load_trained(checkpoint)
    embodiment = trained.card.embodiment
    environment = environment_of(embodiment)
    agent = make_agent(
        *(trained, method, what.seed, with_changes(trained.decision_config, changes)),
        own_subgoals(what.subgoals),
    )
    world = environment.world(embodiment.camera, what.level, what.things)
    try:
        yield from measure(world, environment, what, agent, numbers)
    finally:
        world.close()


def _warm_up(decider: Decider, world: LockStep, environment: Environment) -> None:
    """Make a few decisions that are not measured: the first calls compile and allocate."""
    blank = np.zeros((world.camera.height, world.camera.width, 3), dtype=np.uint8)
    decider.set_goals([blank])
    nothing = Observation({world.camera.name: blank}, np.zeros(len(environment.state_names)), 0)
    for _ in range(WARMING_UP):
        decider.decide(nothing, np.zeros(environment.convention.size))
