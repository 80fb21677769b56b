from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from perception.training_data.clips import ClipSampler, generator, with_history
from tests.tiny import frames


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    length=st.integers(2, 7),
    stride=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_a_clip_never_leaves_its_episode(lengths: list[int], length: int, stride: int, seed: int) -> None:
    assume(max(lengths) > (length - 1) * stride)
    cache = frames(lengths)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    clips = ClipSampler(cache, np.arange(len(lengths)), length, stride).draw(64, np.random.default_rng(seed))
    assert clips.shape == (64, length)
    assert (np.diff(clips, axis=1) == stride).all()
    assert (owner[clips] == owner[clips[:, :1]]).all()


def test_every_place_is_drawn_and_only_from_the_episodes_given() -> None:
    cache = frames([5, 9, 6, 3])
    clips = ClipSampler(cache, np.array([0, 2, 3]), 4).draw(500, np.random.default_rng(0))
    assert set(clips[:, 0]) == {0, 1, 14, 15, 16}


def test_a_draw_is_a_function_of_its_step_and_nothing_else() -> None:
    sampler = ClipSampler(frames([20, 20]), np.arange(2), 5)

    def draw(*key: int) -> list[list[int]]:
        clips: list[list[int]] = sampler.draw(8, generator(*key)).tolist()
        return clips

    first = draw(0, 7, 1, 0)
    draw(0, 8, 1, 0)
    assert draw(0, 7, 1, 0) == first
    others = [draw(1, 7, 1, 0), draw(0, 8, 1, 0), draw(0, 7, 2, 0), draw(0, 7, 1, 1)]
    assert first not in others and all(others.count(other) == 1 for other in others)


def test_the_frames_before_one_are_of_its_own_episode() -> None:
    cache = frames([3, 4])
    numbers = np.array([[0, 2], [3, 5]])
    assert with_history(cache, numbers, 3).tolist() == [[[0, 0, 0], [0, 1, 2]], [[3, 3, 3], [3, 4, 5]]]
    assert with_history(cache, numbers, 1).tolist() == numbers[..., None].tolist()
