"""Goals in a Gymnasium environment: the picture at the end of some blocks of random play that is in no data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from control.interfaces import Decider
from robot.arm.interface import Vector
from robot.errors import ConfigurationError
from sim.evaluation.episode import EpisodeRecord, judged
from sim.gym.adapter import AnyEnv, RandomPolicy
from sim.gym.play import SEEDS
from sim.tasks.goals import ATTEMPTS, GOAL_SEED_SPACE

TOLERANCE = 0.25
"""How far from the goal a state may be to count as there: the root mean square of the entries' differences, each
divided by the entry's standard deviation in the data."""
AWAY = 2.0
"""The least distance of a goal from the start, in tolerances."""
BUDGET_BLOCKS = 50
GOAL_BLOCKS = (10, 30)


@dataclass(frozen=True)
class EnvMeasurement:
    """One measurement in the environment `task`; the other fields as for the arm's tasks."""

    task: str
    seed: int
    level: str = "clean"
    subgoals: str = "none"
    things: int | None = None


@dataclass(frozen=True)
class EnvGoal:
    """Goal `number`, to be reached in the episode that begins with the seed `episode`. The agent gets the `picture`.
    The judge alone has the goal's `state` (P,), the `start_distance` from it and the `tolerance`."""

    number: int
    episode: int
    picture: NDArray[np.uint8]
    state: Vector
    start_distance: float
    tolerance: float = TOLERANCE


def measure_env(
    env: AnyEnv, decider: Decider, std: Vector, seed: int, numbers: Iterable[int]
) -> Iterator[EpisodeRecord]:
    """Yield the record of one episode for each goal of `numbers`. `std` (P,) are the standard deviations of the state's
    entries in the data."""
    for number in numbers:
        yield _run(env, decider, std, env_goal(env, std, seed, number))


def env_goal(env: AnyEnv, std: Vector, seed: int, number: int) -> EnvGoal:
    """Return the held-out goal `number` of `seed`, at least `AWAY` tolerances from its start. Raises
    `ConfigurationError` when none is found, or when the environment's observations have no state."""
    if not env.judged:
        raise ConfigurationError(
            f"the observations of {env.name!r} have no state, so no distance from a goal can be measured"
        )
    rng = np.random.default_rng([GOAL_SEED_SPACE, 99, seed, number])
    for _ in range(ATTEMPTS):
        episode = int(rng.integers(SEEDS))
        first = last = env.reset(episode)
        act = RandomPolicy(env.embodiment.action.size, rng)
        for _ in range(int(rng.integers(*GOAL_BLOCKS))):
            last = env.step(act())
            if last.ended:
                break
        away = _distance(first.state, last.state, std)
        if not last.ended and away >= AWAY * TOLERANCE:
            return EnvGoal(number, episode, last.image, last.state, away)
    raise ConfigurationError(f"no goal could be found in {env.name!r} in {ATTEMPTS} attempts")


def _run(env: AnyEnv, decider: Decider, std: Vector, goal: EnvGoal) -> EpisodeRecord:
    """Let `decider` pursue `goal`. As on the arm, the next block is decided while one runs."""
    seen = env.reset(goal.episode)
    decider.set_goals([goal.picture])
    committed = np.zeros(env.embodiment.action.size)
    distances, times, declared = [], [], False
    final = goal.start_distance
    for _ in range(BUDGET_BLOCKS):
        decision = decider.decide(seen.observation, committed)
        times.append(1e3 * decision.seconds)
        if decision.reached:
            declared = True
            break
        seen = env.step(committed)
        committed = np.clip(decision.action, -1.0, 1.0)
        final = _distance(seen.state, goal.state, std)
        distances.append(final)
        if seen.ended:
            break
    return judged(goal, distances, final, declared, len(distances), times)


def _distance(state: Vector, other: Vector, std: Vector) -> float:
    return float(np.sqrt(np.mean(((state - other) / std) ** 2)))
