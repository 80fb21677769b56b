"""Parts of a set as sets of their own, by numbers and by shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.merge import merge
from robot.dataset.edit.split import WHOLE, parse_parts, parse_shares, split
from robot.dataset.format.history import ranges
from robot.errors import ConfigurationError, DatasetError
from tests.commands import in_process
from tests.robot.dataset.edit.edits import CHANGING, assert_frames, fill, tree
from tests.robot.dataset.samples import FPS, columns, features, write
from tests.robot.dataset.test_reader import several_to_a_file

SEVEN = [(0, "push"), (1, "pull"), (2, "push"), (3, "lift"), (4, "push"), (5, "lift"), (6, "push")]


@pytest.mark.parametrize("picture", ["image", "video"])
def test_parts_by_name(tmp_path: Path, picture: str) -> None:
    whole = fill(tmp_path / "whole", picture, SEVEN)
    before = tree(whole)
    out = tmp_path / "out"
    result = in_process("dataset", "split", str(whole), str(out), "--episodes", "train=0:3,4", "test=5:")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{out}/train: 4 episodes, 20 frames\n{out}/test: 2 episodes, 10 frames\n1 of the 7" in result.stdout
    assert tree(whole) == before
    for name, numbers, tasks in (("train", [0, 1, 2, 4], ("push", "pull")), ("test", [5, 6], ("push", "lift"))):
        part = Dataset.open(out / name)
        assert check(part.root).problems == ()
        assert part.tasks == tasks  # those that somebody did, and no others
        for index, number in enumerate(numbers):
            assert_frames(part, index, Dataset.open(whole), number)


def test_one_part_without_a_name_is_the_folder_itself(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", 4)
    result = in_process("dataset", "split", str(whole), str(tmp_path / "deep/out"), "--episodes", "1:3")
    assert result.returncode == 0
    assert check(tmp_path / "deep/out").problems == ()
    assert [one.extra["seed"] for one in Dataset.open(tmp_path / "deep/out").episodes] == [1, 2]


def test_shares_by_chance_are_the_same_each_time_and_merge_to_the_whole(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", 7)
    for name in ("one", "two"):
        words = ["--fractions", "train=0.7", "test=0.3", "--seed", "3"]
        assert in_process("dataset", "split", str(whole), str(tmp_path / name), *words).returncode == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    merge(tmp_path / "both", [tmp_path / "one/train", tmp_path / "one/test"])
    both = Dataset.open(tmp_path / "both")
    assert check(both.root).problems == ()
    seeds = [int(one.extra["seed"]) for one in both.episodes]
    assert sorted(seeds) == list(range(7)) and seeds != list(range(7))
    for index, seed in enumerate(seeds):
        assert_frames(both, index, Dataset.open(whole), seed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --episodes or --fractions"),
        (("--episodes", "0:2", "--fractions", "a=1"), "give --episodes or --fractions"),
        (("--episodes", "0:2", "--seed", "1"), "--seed is for --fractions"),
        (("--episodes", "a/b=0:2"), "no '/'"),
        (("--episodes", "..=0:2"), "does not begin with '.'"),
        (("--episodes", "0:2", "2:3"), "write NAME="),
        (("--episodes", "a=0:2", "a=2:3"), "two parts are called 'a'"),
        (("--episodes", "a=0:2", "b=1:3"), "episode 1 would be in 'a' and in 'b'"),
        (("--episodes", "0,0"), "episode 0 would be twice"),
        (("--episodes", "0:9"), "has the episodes 0 to 2; 3, 4, 5, 6, 7, 8 is not among them"),
        (("--episodes", "2:1"), "holds no episode"),
        (("--episodes=-1",), "holds no episode"),
        (("--episodes", "one"), "names no episodes"),
        (("--fractions", "a=0.7", "b=0.7"), "add up to 1.4"),
        (("--fractions", "a=nan"), "more than 0"),
        (("--fractions", "0.5"), "names a part as no folder"),
        (("--fractions", "a=0.01"), "a would have none of the 3 episodes"),
        (("--fractions", "a=half"), "is not a share"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    whole = write(tmp_path / "whole", 3)
    result = in_process("dataset", "split", str(whole), str(tmp_path / "out"), *words)
    assert result.returncode == 1
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole"]


def test_places_and_sets_that_cannot_be_split(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", 3)
    for place, words in (("whole", "exists already"), ("whole/part", "would lie inside")):
        with pytest.raises(DatasetError, match=words):
            split(whole, tmp_path / place, {"": [0]})
    with DatasetWriter.open(whole), pytest.raises(DatasetError, match="another process is writing"):
        split(whole, tmp_path / "out", {"": [0]})
    with pytest.raises(DatasetError, match="does not exist"):
        split(tmp_path / "nowhere", tmp_path / "out", {"": [0]})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole"]


@given(numbers=st.sets(st.integers(0, 60), min_size=1))
def test_ranges_are_read_back_as_they_are_told(numbers: set[int]) -> None:
    assert parse_parts([ranges(sorted(numbers))], 61) == {"": sorted(numbers)}


@given(
    weights=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    episodes=st.integers(1, 300),
    seed=st.none() | st.integers(0, 99),
)
def test_shares_take_each_episode_once(weights: list[int], episodes: int, seed: int | None) -> None:
    words = [f"part{number}={weight / sum(weights)}" for number, weight in enumerate(weights)]
    try:
        parts = parse_shares(words, episodes, seed)
    except ConfigurationError as error:
        assert "would have none" in str(error)
        return
    assert sorted(number for numbers in parts.values() for number in numbers) == list(range(episodes))
    for weight, numbers in zip(weights, parts.values(), strict=True):
        assert abs(len(numbers) - episodes * weight / sum(weights)) <= 1


def test_episodes_are_cut_out_of_shared_files_to_the_bit(tmp_path: Path) -> None:
    shared = several_to_a_file(tmp_path / "shared", False)
    before = tree(shared)
    split(shared, tmp_path / "out", {WHOLE: [1, 0]})
    assert tree(shared) == before
    source, made = Dataset.open(shared), Dataset.open(tmp_path / "out")
    assert check(made.root).problems == ()
    for index, number in enumerate([1, 0]):
        here, there = made.episode(index), source.episode(number)
        for name in there.keys() - CHANGING:
            np.testing.assert_array_equal(here[name], there[name], err_msg=name)
    with DatasetWriter.open(made.root, FPS, features("video"), durable=False) as writer:
        assert writer.save_episode(columns(5), "more") == 2
