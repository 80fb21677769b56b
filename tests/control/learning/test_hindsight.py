from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from control.learning.hindsight import EncodedFrames, GoalMix, HindsightSampler
from tests.soak import often
from tests.tiny import frames

LENGTHS = [6, 1, 9, 15]
OWNER = np.repeat(np.arange(len(LENGTHS)), LENGTHS)


def draw(
    mix: GoalMix, count: int = 400, seed: int = 0, episodes: tuple[int, ...] = (0, 1, 2, 3)
) -> dict[str, np.ndarray]:
    """A batch whose latents, proprio and actions are the numbers of their frames."""
    cache = frames(LENGTHS)
    numbers = torch.arange(cache.frames, dtype=torch.float32)[:, None]
    sampler = HindsightSampler(cache, np.array(episodes), [EncodedFrames(numbers, numbers, numbers)], numbers)
    batch = sampler.draw(count, np.random.default_rng(seed), mix, 0.0)
    return {name: values.numpy().reshape(count) for name, values in batch.items()}


@settings(max_examples=often(10, 400))
@given(
    here=st.floats(0, 0.3),
    following=st.floats(0, 0.3),
    later=st.floats(0, 0.2),
    same=st.floats(0, 0.2),
    reach=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_states_flags_and_ranges_hold_for_every_mix(
    here: float, following: float, later: float, same: float, reach: int, seed: int
) -> None:
    batch = draw(GoalMix(here, following, later, same, reach), seed=seed)
    frame, goal = batch["latent"].astype(int), batch["goal"].astype(int)
    for name, expected in (
        ("proprio", frame),
        ("action", frame),
        ("next_latent", frame + 1),
        ("next_proprio", frame + 1),
    ):
        np.testing.assert_array_equal(batch[name], expected)
    np.testing.assert_array_equal(OWNER[frame], OWNER[frame + 1])  # no state without a successor
    np.testing.assert_array_equal(OWNER[frame], OWNER[frame - 1])  # nor the first, at which nobody has decided
    np.testing.assert_array_equal(batch["here"], goal == frame)
    np.testing.assert_array_equal(batch["arrives"], goal == frame + 1)


@pytest.mark.parametrize(
    ("mix", "least", "most"),
    [
        (GoalMix(1, 0, 0), 0, 0),
        (GoalMix(0, 1, 0), 1, 1),
        (GoalMix(0, 0, 1, reach=4), 1, 4),
        (GoalMix(0, 0, 1), 1, 13),
        (GoalMix(0, 0, 0, 1), -13, 13),
    ],
)
def test_each_kind_of_goal_lies_where_it_should(mix: GoalMix, least: int, most: int) -> None:
    batch = draw(mix, 2000)
    frame, goal = batch["latent"].astype(int), batch["goal"].astype(int)
    np.testing.assert_array_equal(OWNER[frame], OWNER[goal])
    assert (goal - frame).min() == least and (goal - frame).max() == most


def test_the_rest_are_frames_of_any_episode_given() -> None:
    batch = draw(GoalMix(0, 0, 0, 0), 2000, episodes=(0, 3))
    goal, frame = batch["goal"].astype(int), batch["latent"].astype(int)
    assert set(OWNER[goal]) == set(OWNER[frame]) == {0, 3}
    assert (OWNER[goal] != OWNER[frame]).mean() > 0.2


def test_a_batch_is_a_function_of_its_generator() -> None:
    first, same, other = draw(GoalMix(), seed=1), draw(GoalMix(), seed=1), draw(GoalMix(), seed=2)
    assert all(np.array_equal(first[name], same[name]) for name in first)
    assert not np.array_equal(first["latent"], other["latent"])


def test_noise_is_on_latents_alone() -> None:
    cache = frames([200])
    zeros = torch.zeros(200, 3)
    batch = HindsightSampler(cache, np.array([0]), [EncodedFrames(zeros, zeros, zeros)], zeros).draw(
        2000, np.random.default_rng(0), GoalMix(), 0.5
    )
    for name in ("latent", "next_latent", "goal"):
        assert float(batch[name].std()) == pytest.approx(0.5, rel=0.05)
    assert not batch["proprio"].any() and not batch["action"].any()
    assert not torch.equal(batch["latent"], batch["goal"])


def test_states_are_what_was_expected_and_goals_are_what_was_seen() -> None:
    cache = frames([200])
    zeros, ones, still = torch.zeros(200, 3), torch.ones(200, 3), torch.zeros(200, 2)
    seen = EncodedFrames(latents=zeros, expected=ones, proprio=2 * ones)
    batch = HindsightSampler(cache, np.array([0]), [seen], still).draw(50, np.random.default_rng(0), GoalMix(), 0.0)
    for name, value in (("latent", 1), ("next_latent", 1), ("goal", 0), ("proprio", 2), ("next_proprio", 2)):
        assert batch[name].unique().tolist() == [value], name


def test_of_two_looks_each_state_has_one_and_its_goal_the_same() -> None:
    cache = frames([200])
    plain, varied, still = torch.zeros(200, 3), torch.ones(200, 3), torch.zeros(200, 2)
    views = [EncodedFrames(plain, plain, plain), EncodedFrames(varied, varied, varied)]
    sampler = HindsightSampler(cache, np.array([0]), views, still)
    batch = sampler.draw(2000, np.random.default_rng(0), GoalMix(), 0.0)
    assert torch.equal(batch["latent"].amin(1), batch["latent"].amax(1))  # a picture looks otherwise as a whole
    assert float(batch["latent"].mean()) == pytest.approx(0.5, abs=0.05)
    for name in ("next_latent", "proprio", "next_proprio", "goal"):
        assert torch.equal(batch[name], batch["latent"])
