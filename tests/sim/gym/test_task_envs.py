from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robot.embodiment.actions import PLANAR_PUSH
from robot.errors import ConfigurationError
from sim.gym.task_envs import TASK_ENVS, TaskEnv
from sim.tasks.environments import ENVIRONMENTS, PUSH
from sim.tasks.goals import make_goal
from sim.tasks.push import BUDGET_BLOCKS
from tests.soak import SOAK

STILL = np.zeros(2, np.float32)


# Of each playground one, and the one with two pictures to its goals.
FEW = ["worldarm/Push-v0", "worldarm/PickPlace-v0", "worldarm/StackTwo-v0"]


@pytest.fixture(params=TASK_ENVS if SOAK else FEW)
def env(request: pytest.FixtureRequest) -> Iterator[gymnasium.Env[Any, Any]]:
    env = gymnasium.make(request.param, size=32)
    yield env
    env.close()


@pytest.mark.soak
@pytest.mark.filterwarnings("error:.*:UserWarning")
@pytest.mark.parametrize("name", TASK_ENVS if SOAK else ["worldarm/Push-v0"])
def test_the_librarys_own_checker_finds_nothing_wrong(name: str) -> None:
    made = gymnasium.make(name, size=32, render_mode="rgb_array", disable_env_checker=True)
    check_env(made.unwrapped)
    made.close()


@pytest.mark.soak
def test_an_episode_ends_with_its_budget_and_nothing_is_earned_by_holding_still(env: gymnasium.Env[Any, Any]) -> None:
    seen, info = env.reset(seed=1)
    assert env.observation_space.contains(seen) and not info["is_success"]
    began = info["distance_m"]
    assert env.spec is not None and env.spec.max_episode_steps is not None
    still = np.zeros(env.action_space.shape or (), np.float32)
    for block in range(1, env.spec.max_episode_steps + 1):
        seen, reward, terminated, truncated, info = env.step(still)
        assert env.observation_space.contains(seen)
        assert (reward, terminated, truncated) == (-1.0, False, block == env.spec.max_episode_steps)
    assert info["distance_m"] == pytest.approx(began, abs=2e-3)


@pytest.mark.soak
def test_an_action_takes_effect_one_block_later(env: gymnasium.Env[Any, Any]) -> None:
    seen, _ = env.reset(seed=2)
    places = [seen["proprio"][4:6]]
    still = np.zeros(env.action_space.shape or (), np.float32)
    there = still.copy()
    there[0] = 0.6
    for action in (there, still, still):
        seen = env.step(action)[0]
        places.append(seen["proprio"][4:6])
        np.testing.assert_allclose(seen["committed"], action)
    np.testing.assert_allclose(places[1], places[0], atol=6e-3)
    assert env.spec is not None
    convention = ENVIRONMENTS[env.spec.kwargs["environment"]].convention
    moved = min(0.6 * convention.scale_m, convention.bounds.upper[0] - places[0][0])
    np.testing.assert_allclose(places[3] - places[0], [moved, 0.0], atol=1e-3)


def test_the_seed_decides_the_goal_and_the_benchmarks_goals_can_be_had() -> None:
    env = TaskEnv("push", "push", size=32)
    first, same, other = (env.reset(seed=seed)[0]["goal"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    asked = env.reset(options={"held_out": (0, 5)})[0]
    env.close()
    world = PUSH.world(PUSH.camera(32, 32))
    np.testing.assert_array_equal(asked["goal"], make_goal(world, PUSH, "push", 0, 5).picture)
    world.close()


def test_reaching_the_goal_ends_the_episode() -> None:
    env = TaskEnv("push", "reach", size=32)
    env.reset(seed=5)
    goal = env._goal
    assert goal is not None
    reward, terminated, steps = -1.0, False, 0
    while not terminated and steps < BUDGET_BLOCKS:
        way = (goal.tool - env._runner.target.position)[:2] / PLANAR_PUSH.scale_m
        _, reward, terminated, _, info = env.step(np.clip(way, -1, 1).astype(np.float32))
        assert reward == (0.0 if terminated else -1.0) and terminated == info["is_success"]
        steps += 1
    env.close()
    assert terminated and steps < BUDGET_BLOCKS


@pytest.mark.parametrize("action", [np.zeros(3), np.array([np.nan, 0.0]), 0.5])
def test_what_is_no_action_is_refused(action: Any) -> None:
    env = TaskEnv("push", "reach", size=32)
    with pytest.raises(ConfigurationError, match="call reset"):
        env.step(STILL)
    env.reset(seed=0)
    with pytest.raises(ConfigurationError, match="2 finite numbers"):
        env.step(action)
    env.close()
    with pytest.raises(ConfigurationError, match="render_mode"):
        TaskEnv("push", "reach", render_mode="human")
