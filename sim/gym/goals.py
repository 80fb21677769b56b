"""Goals in any Gymnasium environment: what it looks like after some blocks of play that no data set holds."""

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
"""How far from the goal's a state may be, as the root mean square of its entries over their spread in the data."""
AWAY = 2.0
"""A goal is at least so many tolerances away from the start."""
BUDGET_BLOCKS = 50
GOAL_BLOCKS = (10, 30)


@dataclass(frozen=True)
class EnvMeasurement:
    """What is measured in the environment `task`; the rest as for the arm's tasks."""

    task: str
    seed: int
    level: str = "clean"
    subgoals: str = "none"


@dataclass(frozen=True)
class EnvGoal:
    """The seed of the episode that a goal is reached in, the picture of it, and, for the judge alone, its state (P,)
    and how far from it the start is."""

    number: int
    episode: int
    picture: NDArray[np.uint8]
    state: Vector
    start_distance: float
    tolerance: float = TOLERANCE


def measure_env(
    env: AnyEnv, decider: Decider, spread: Vector, seed: int, numbers: Iterable[int]
) -> Iterator[EpisodeRecord]:
    """Yield what came of each goal. `spread` (P,) is that of each entry of a state in the data."""
    for number in numbers:
        yield _run(env, decider, spread, env_goal(env, spread, seed, number))


def env_goal(env: AnyEnv, spread: Vector, seed: int, number: int) -> EnvGoal:
    """Return held-out goal `number` of a seed, away from its start. Raises `ConfigurationError` when none is found, or
    when the environment tells no state to judge by."""
    if not env.judged:
        raise ConfigurationError(f"{env.name!r} tells no state beside its pictures, so nobody could judge a goal there")
    rng = np.random.default_rng([GOAL_SEED_SPACE, 99, seed, number])
    for _ in range(ATTEMPTS):
        episode = int(rng.integers(SEEDS))
        first = last = env.reset(episode)
        act = RandomPolicy(env.embodiment.action.size, rng)
        for _ in range(int(rng.integers(*GOAL_BLOCKS))):
            last = env.step(act())
            if last.ended:
                break
        away = _distance(first.state, last.state, spread)
        if not last.ended and away >= AWAY * TOLERANCE:
            return EnvGoal(number, episode, last.image, last.state, away)
    raise ConfigurationError(f"no goal could be found in {env.name!r} in {ATTEMPTS} attempts")


def _run(env: AnyEnv, decider: Decider, spread: Vector, goal: EnvGoal) -> EpisodeRecord:
    """Let `decider` go for `goal`, with the arm's timing: while one block runs, the next is decided."""
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
        final = _distance(seen.state, goal.state, spread)
        distances.append(final)
        if seen.ended:
            break
    return judged(goal, distances, final, declared, len(distances), times)


def _distance(state: Vector, other: Vector, spread: Vector) -> float:
    return float(np.sqrt(np.mean(((state - other) / spread) ** 2)))
