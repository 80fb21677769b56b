"""What the real lerobot writes, several episodes to a file, worldarm reads, shows, judges, joins and takes apart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.checkpoint.files import load_card
from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from tests.commands import worldarm
from tests.control.conftest import QUICK
from tests.lerobot.conftest import Theirs
from tests.robot.dataset.edit.edits import tree

LENGTHS = (7, 9, 5)  # as `theirs.py` writes them
TASKS = ("Würfel heben", "place the cube", "Würfel heben")


@pytest.fixture(scope="module")
def folder(theirs: Theirs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("theirs")
    theirs(("write", folder / "video", "video"), ("write", folder / "image", "image"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["video", "image"])
def root(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


def test_every_episode_is_read_as_it_was_recorded(root: Path) -> None:
    dataset = Dataset.open(root)
    assert dataset.lengths.tolist() == list(LENGTHS)
    assert [episode.tasks for episode in dataset.episodes] == [(task,) for task in TASKS]
    assert len({episode.data_file for episode in dataset.episodes}) == 1
    _assert_recorded(dataset, range(3))
    with np.load(root.with_suffix(".npz")) as theirs:
        for name in theirs.files:
            seen = theirs[name] if theirs[name].dtype == np.uint8 else (theirs[name] * 255).round()
            here = np.concatenate([dataset.episode(number, [name])[name] for number in range(3)])
            assert np.abs(seen.transpose(0, 2, 3, 1).astype(float) - here).max() <= 4, name


def test_the_commands_that_look_take_it(root: Path, tmp_path: Path) -> None:
    before = tree(root)
    for command, words in {
        "check": ("3 whole episodes, 21 frames", "nothing is wrong"),
        "info": ("robot so101_follower", "Würfel heben", "next.done"),
        "quality": ("3 episodes, 21 frames", "times nominal"),
    }.items():
        more = ("--plot", str(tmp_path / "q.png")) if command == "quality" else ()
        result = worldarm("dataset", command, str(root), *more)
        assert result.returncode == 0, result.stderr
        assert all(word in result.stdout for word in words), result.stdout
    film = tmp_path / "film.mp4"
    result = worldarm("dataset", "show", str(root), "1", "--output", str(film))
    assert result.returncode == 0, result.stderr
    assert film.stat().st_size > 0
    assert tree(root) == before


def test_it_is_joined_and_taken_apart(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "again")
    result = worldarm("dataset", "merge", str(tmp_path / "both"), str(root), str(tmp_path / "again"))
    assert result.returncode == 0, result.stderr
    assert "6 episodes, 42 frames, 2 task(s)" in result.stdout
    both = Dataset.open(tmp_path / "both")
    assert check(both.root).problems == ()
    _assert_recorded(both, [0, 1, 2, 0, 1, 2])
    source = Dataset.open(root)
    for key in source.info.video_keys:
        for number in range(6):
            np.testing.assert_array_equal(both.episode(number, [key])[key], source.episode(number % 3, [key])[key])

    result = worldarm("dataset", "split", str(root), str(tmp_path / "part"), "--episodes", "1:3")
    assert result.returncode == 0, result.stderr
    assert check(tmp_path / "part").problems == ()
    _assert_recorded(Dataset.open(tmp_path / "part"), [1, 2])


def test_what_they_recorded_of_an_arm_is_adopted_learnt_from_and_still_theirs(theirs: Theirs, tmp_path: Path) -> None:
    root, checkpoint = tmp_path / "so101", tmp_path / "checkpoint"
    theirs(("so101", root))
    before = tree(root)
    words = ("train", "--dataset", str(root), "--run", str(tmp_path / "run"), "--output", str(checkpoint), *QUICK)
    refused = worldarm(*words)
    assert refused.returncode == 1 and "`worldarm dataset adopt`" in refused.stderr
    adopted = worldarm("dataset", "adopt", str(root), "--arm", "so101", "--units", "degrees")
    assert adopted.returncode == 0, adopted.stderr
    assert "1080 frames of the arm so101, cameras front" in adopted.stdout
    changed = {path for path, content in tree(root).items() if before.get(path) != content}
    assert {str(path) for path in changed} <= {"meta/info.json", ".lock"}
    learnt = worldarm(*words)
    assert learnt.returncode == 0, learnt.stderr
    assert load_card(checkpoint).embodiment.arm == "so101"
    (told,) = theirs(("load", root, tmp_path / "all.npz"))
    assert (told["length"], told["episodes"], told["windows_agree"]) == (1080, 6, True)


def test_what_was_joined_is_a_set_to_both(folder: Path, theirs: Theirs, tmp_path: Path) -> None:
    for kind in ("video", "image"):
        made = tmp_path / kind
        assert worldarm("dataset", "merge", str(made), str(folder / kind)).returncode == 0
        if kind == "image":  # what of video has numbers that our writer does not know
            with DatasetWriter.open(made, durable=False) as writer:
                writer.save_episode(Dataset.open(made).episode(1, list(writer.info.user_features)), "more")
    video, image = theirs(
        ("load", tmp_path / "video", tmp_path / "v.npz"), ("load", tmp_path / "image", tmp_path / "i.npz")
    )
    each = [task for task, length in zip(TASKS, LENGTHS, strict=True) for _ in range(length)]
    assert video["tasks"] == each and image["tasks"] == [*each, *["more"] * 9]
    assert video["windows_agree"] and image["windows_agree"]


def test_those_that_change_a_set_say_what_to_do(root: Path) -> None:
    before = tree(root)
    result = worldarm("dataset", "delete", str(root), "0")
    assert result.returncode == 1 and f"worldarm dataset merge NEW {root}" in result.stderr
    assert tree(root) == before


def _assert_recorded(dataset: Dataset, written: Any) -> None:
    """The episodes are those that were written in this order, each frame telling its own number."""
    for number, episode in enumerate(written):
        columns = dataset.episode(number)
        values = 10 * episode + np.arange(LENGTHS[episode])
        assert dataset.episodes[number].tasks == (TASKS[episode],)
        np.testing.assert_array_equal(columns["observation.state"], np.repeat(values[:, None], 3, axis=1))
        np.testing.assert_array_equal(columns["next.reward"], values)
        assert columns["next.done"].tolist() == [False] * (LENGTHS[episode] - 1) + [True]
        front = columns["observation.images.front"].astype(float).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(front, 5 * values + 40, atol=3)
