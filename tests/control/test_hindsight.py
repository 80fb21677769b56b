from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from control.hindsight import GoalMix, HindsightSampler
from tests.tiny import frames

LENGTHS = [6, 1, 9, 15]
OWNER = np.repeat(np.arange(len(LENGTHS)), LENGTHS)


def draw(
    mix: GoalMix, count: int = 400, seed: int = 0, episodes: tuple[int, ...] = (0, 1, 2, 3)
) -> dict[str, np.ndarray]:
    """A batch whose latents, proprio and actions are the numbers of their frames."""
    cache = frames(LENGTHS)
    numbers = torch.arange(cache.frames, dtype=torch.float32)[:, None]
    sampler = HindsightSampler(cache, np.array(episodes), numbers, numbers, numbers)
    batch = sampler.draw(count, np.random.default_rng(seed), mix, 0.0)
    return {name: values.numpy().reshape(count) for name, values in batch.items()}


@settings(max_examples=20, deadline=None)
@given(
    here=st.floats(0, 0.3),
    following=st.floats(0, 0.3),
    later=st.floats(0, 0.4),
    reach=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_states_flags_and_ranges_hold_for_every_mix(
    here: float, following: float, later: float, reach: int, seed: int
) -> None:
    batch = draw(GoalMix(here, following, later, reach), seed=seed)
    frame, goal = batch["latent"].astype(int), batch["goal"].astype(int)
    for name, expected in (
        ("proprio", frame),
        ("action", frame),
        ("next_latent", frame + 1),
        ("next_proprio", frame + 1),
    ):
        np.testing.assert_array_equal(batch[name], expected)
    np.testing.assert_array_equal(OWNER[frame], OWNER[frame + 1])  # no state without a successor
    np.testing.assert_array_equal(batch["here"], goal == frame)
    np.testing.assert_array_equal(batch["arrives"], goal == frame + 1)


@pytest.mark.parametrize(
    ("mix", "least", "most"),
    [(GoalMix(1, 0, 0), 0, 0), (GoalMix(0, 1, 0), 1, 1), (GoalMix(0, 0, 1, reach=4), 1, 4), (GoalMix(0, 0, 1), 1, 14)],
)
def test_each_kind_of_goal_lies_where_it_should(mix: GoalMix, least: int, most: int) -> None:
    batch = draw(mix, 2000)
    frame, goal = batch["latent"].astype(int), batch["goal"].astype(int)
    np.testing.assert_array_equal(OWNER[frame], OWNER[goal])
    assert (goal - frame).min() == least and (goal - frame).max() == most


def test_the_rest_are_frames_of_any_episode_given() -> None:
    batch = draw(GoalMix(0, 0, 0), 2000, episodes=(0, 3))
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
    batch = HindsightSampler(cache, np.array([0]), zeros, zeros, zeros).draw(
        2000, np.random.default_rng(0), GoalMix(), 0.5
    )
    for name in ("latent", "next_latent", "goal"):
        assert float(batch[name].std()) == pytest.approx(0.5, rel=0.05)
    assert not batch["proprio"].any() and not batch["action"].any()
    assert not torch.equal(batch["latent"], batch["goal"])
