from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset.reader import Dataset
from robot.errors import ConfigurationError
from sim.gym.adapter import NO_STATE, AnyEnv, RandomPolicy, load_policy
from sim.gym.goals import AWAY, TOLERANCE, env_goal
from sim.gym.pictures import Pictures
from sim.gym.play import env_episode
from tests.commands import in_process
from tests.control.conftest import QUICK
from worldarm import main

PENDULUM = "Pendulum-v1"


@pytest.fixture
def pendulum() -> Iterator[AnyEnv]:
    env = AnyEnv(PENDULUM, 32, 4)
    yield env
    env.close()


class Pictured(gymnasium.Env[Any, Any]):
    """Pictures and numbers in one observation; its action moves a bright bar."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 40}  # noqa: RUF012 - as Gymnasium has it
    action_space = spaces.Box(np.array([0.0, -4.0]), np.array([10.0, 4.0]), dtype=np.float64)
    observation_space = spaces.Dict(
        {
            "pixels": spaces.Box(0, 255, (48, 48, 3), np.uint8),
            "place": spaces.Box(-1.0, 1.0, (2,)),
            "kind": spaces.Discrete(3),
        }
    )

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.taken: list[np.ndarray] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._seen(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.taken.append(action)
        return self._seen(), 0.0, len(self.taken) >= 6, False, {}

    def _seen(self) -> dict[str, Any]:
        return {"pixels": np.full((48, 48, 3), 70, np.uint8), "place": np.array([0.1, 0.2], np.float32), "kind": 1}


gymnasium.register("test/Pictured-v0", entry_point=Pictured)


def test_what_is_seen_and_felt_comes_from_the_observation() -> None:
    env = AnyEnv("test/Pictured-v0", 16, 4)
    seen = env.reset(0)
    assert env.state_names == ("place.0", "place.1") and env.judged
    np.testing.assert_allclose(seen.state, [0.1, 0.2])
    np.testing.assert_array_equal(seen.image, np.full((16, 16, 3), 70, np.uint8))
    assert env.embodiment.action.block_s == 0.1 and env.embodiment.action.size == 2


def drawn(pictures: list[Any], space: spaces.Space[Any] | None = None) -> list[np.ndarray]:
    """These pictures as an environment's, one after the other."""
    seen = Pictures("test", space or spaces.Box(-1.0, 1.0, (2,)))
    return [seen.as_bytes(picture) for picture in pictures]


@given(
    st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.uint16, np.uint8, np.bool_]),
    st.integers(2, 255),
    st.integers(0, 2**32 - 1),
)
def test_the_same_picture_is_seen_whatever_its_type_and_range(kind: type, brightest: int, seed: int) -> None:
    expected = np.random.default_rng(seed).integers(0, brightest, (4, 5, 3), np.uint8, endpoint=True)
    expected[0, 0, 0] = brightest
    if kind is np.bool_:
        expected = np.where(expected > brightest // 2, 255, 0).astype(np.uint8)
        forms = [expected > 0]
    elif np.issubdtype(kind, np.floating):
        forms = [(expected / 255).astype(kind), expected.astype(kind)]
    else:
        forms = [expected.astype(kind)]
    for form in forms:
        for image in drawn([np.zeros_like(form), form]):
            assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("pictures", "high", "said"),
    [
        ([0.5, 1.5], None, "from 1.5 to 1.5, and they should be from 0 to 1"),
        ([-0.5], None, "from -0.5 to -0.5"),
        ([256.0], None, "from 256 to 256, and they should be from 0 to 255"),
        ([float("nan")], None, "from nan to nan"),
        ([np.int64(300)], None, "from 300 to 300"),
        ([0.0, 0.5], 255.0, "which is black where 255 is declared"),
        ([0.5j], None, "pictures of complex128"),
    ],
)
def test_a_picture_of_an_unknown_range_is_refused(pictures: list[Any], high: float | None, said: str) -> None:
    space = None if high is None else spaces.Box(0.0, high, (2, 2, 3), np.float64)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        drawn([np.full((2, 2, 3), value) for value in pictures], space)


def test_a_declared_range_holds_for_a_dark_picture() -> None:
    bright, dark = np.full((2, 2, 3), 200.0), np.full((2, 2, 3), 0.9)
    space = spaces.Dict({"rgb": spaces.Box(0.0, 255.0, (2, 2, 3), np.float64)})
    assert [int(image.max()) for image in drawn([bright, dark], space)] == [200, 1]


def test_an_action_is_stretched_to_the_box_and_repeated_until_the_episode_ends() -> None:
    env = AnyEnv("test/Pictured-v0", 16, 4)
    env.reset(0)
    inner = env._env.unwrapped
    assert isinstance(inner, Pictured)
    assert not env.step(np.array([-1.0, 0.5])).ended
    np.testing.assert_allclose(inner.taken, [[0.0, 2.0]] * 4)
    assert env.step(np.array([9.0, -9.0])).ended
    np.testing.assert_allclose(inner.taken[4:], [[10.0, -4.0]] * 2)
    np.testing.assert_allclose(env.scaled([0.0, 2.0]), [-1.0, 0.5])


def test_the_same_seed_begins_and_goes_on_alike(pendulum: AnyEnv) -> None:
    def episode(seed: int) -> list[np.ndarray]:
        act = RandomPolicy(1, np.random.default_rng(0))
        return [pendulum.reset(seed).state, *(pendulum.step(act()).state for _ in range(5))]

    np.testing.assert_array_equal(episode(3), episode(3))
    assert not np.allclose(episode(3)[0], episode(4)[0])


def test_a_goal_is_away_from_its_start_and_the_same_every_time(pendulum: AnyEnv) -> None:
    spread = np.array([0.7, 0.7, 3.0])
    goals = [env_goal(pendulum, spread, 0, number) for number in (0, 1, 0)]
    assert goals[0].episode == goals[2].episode != goals[1].episode
    np.testing.assert_array_equal(goals[0].picture, goals[2].picture)
    for goal in goals:
        start = pendulum.reset(goal.episode).state
        away = np.sqrt(np.mean(((start - goal.state) / spread) ** 2))
        assert goal.start_distance == pytest.approx(away) and away >= AWAY * TOLERANCE


def idle(observation: Any, rng: np.random.Generator) -> np.ndarray:
    return np.array([2.0])


def test_from_play_to_benchmark_in_a_public_environment(tmp_path: Path) -> None:
    play = ["--env", PENDULUM, "--dataset", str(tmp_path / "set"), "--episodes", "12", "--blocks", "30", "--size", "32"]
    result = in_process("play", *play)
    assert result.returncode == 0, result.stderr
    checkpoint = ["--run", str(tmp_path / "run"), "--output", str(tmp_path / "made")]
    result = in_process("train", "--dataset", str(tmp_path / "set"), *checkpoint, *QUICK)
    assert result.returncode == 0, result.stderr
    files = ["--json", str(tmp_path / "numbers.json"), "--plot", str(tmp_path / "plot.png")]
    words = ["benchmark", "--env", PENDULUM, "--checkpoint", str(tmp_path / "made"), "--episodes", "2"]
    result = in_process(*words, "--method", "full", "random", *files)
    assert result.returncode == 0, result.stderr
    assert f"| {PENDULUM} | clean | full | 2 |" in result.stdout and " std |" in result.stdout
    full, random = json.loads((tmp_path / "numbers.json").read_bytes())
    assert full["task"] == PENDULUM and full["unit"] == "spread"
    assert [r["start_distance_m"] for r in full["records"]] == [r["start_distance_m"] for r in random["records"]]


def test_a_policy_of_ones_own_acts_there(tmp_path: Path) -> None:
    words = ["--env", PENDULUM, "--dataset", str(tmp_path / "set"), "--episodes", "2", "--blocks", "5", "--size", "32"]
    assert main(["play", *words, "--policy", "tests.sim.gym.test_adapter:idle", "--processes", "1"]) == 0
    episode = Dataset.open(tmp_path / "set").episode(0)
    np.testing.assert_allclose(episode["action"][:-1], 1.0)


def test_episodes_that_are_over_at_once_are_not_tried_for_ever() -> None:
    env = AnyEnv("test/Pictured-v0", 16, 6)
    with pytest.raises(ConfigurationError, match="ended within 2 blocks"):
        env_episode(env, None, np.random.default_rng(0), 10)


def test_play_does_not_go_on_with_another_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["play", "--env", PENDULUM, "--dataset", str(tmp_path / "set"), "--blocks", "4", "--size", "32"]
    assert main([*words, "--episodes", "1", "--processes", "1"]) == 0
    assert main([*words, "--episodes", "2", "--policy", "tests.sim.gym.test_adapter:idle"]) == 1
    assert "made with other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["play", "--env", "CartPole-v1"], "takes Discrete(2)"),
        (["play", "--env", "Nowhere-v7"], "the environment 'Nowhere-v7' cannot be made"),
        (["play", "--env", PENDULUM, "--policy", "nowhere:nothing"], "cannot be imported as MODULE:FUNCTION"),
        (["play", "--policy", "tests.sim.gym.test_adapter:idle"], "name one with --env"),
        (["play", "--env", PENDULUM, "--repeat", "0"], "--repeat must be at least 1"),
        (["benchmark"], "name what to measure"),
        (["benchmark", "push", "--env", PENDULUM], "name what to measure"),
        (["benchmark", "--env", PENDULUM, "--processes"], "--env excludes"),
        (["benchmark", "--env", PENDULUM], "needs --checkpoint"),
        (["benchmark", "--env", PENDULUM, "--checkpoint", "push"], "not to a Gymnasium environment"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--dataset", str(tmp_path / "set")] if words[0] == "play" else ["--plot", str(tmp_path / "plot.png")]
    assert main([*words, *files]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_an_environment_of_pictures_alone_is_played_and_not_judged() -> None:
    class Bare(Pictured):
        observation_space = Pictured.observation_space["pixels"]  # type: ignore[assignment]

        def _seen(self) -> Any:
            return super()._seen()["pixels"]

    gymnasium.register("test/Bare-v0", entry_point=Bare)
    env = AnyEnv("test/Bare-v0", 16, 2)
    assert env.state_names == NO_STATE and not env.judged and env.reset(0).state.shape == (1,)
    with pytest.raises(ConfigurationError, match="have no state"):
        env_goal(env, np.ones(1), 0, 0)
    assert load_policy("tests.sim.gym.test_adapter:idle") is not None
