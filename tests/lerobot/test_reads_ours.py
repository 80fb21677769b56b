"""What worldarm writes, the real lerobot loads, feeds to training, appends to, merges and deletes from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from robot.dataset import Dataset
from robot.dataset.edit.check import check
from tests.lerobot import ours
from tests.lerobot.conftest import Theirs

FRAMES = sum(ours.LENGTHS)
OF_EACH_FRAME = [task for task, length in zip(ours.TASKS, ours.LENGTHS, strict=True) for _ in range(length)]
NEW_TASK = "neu: ↑"
NEW_LENGTH = 4


@dataclass(frozen=True)
class Tried:
    """A set of ours, and what became of it: `root` as it was, `grown`, `merged` with another, `less` one episode."""

    picture: str
    folder: Path
    episodes: list[dict[str, npt.NDArray[Any]]]
    loaded: dict[str, Any]
    appended: dict[str, Any]
    merged: dict[str, Any]
    deleted: dict[str, Any]

    @property
    def cameras(self) -> list[str]:
        return [name for name, feature in ours.features(self.picture).items() if feature.is_picture]


@pytest.fixture(scope="module", params=["video", "image"])
def tried(request: pytest.FixtureRequest, theirs: Theirs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    folder = tmp_path_factory.mktemp("ours")
    episodes = ours.write(folder / "root", request.param)
    ours.write(folder / "other", request.param, first=10)
    shutil.copytree(folder / "root", folder / "grown")
    told = theirs(
        ("load", folder / "root", folder / "frames.npz"),
        ("append", folder / "grown", NEW_TASK, NEW_LENGTH),
        ("merge", folder / "merged", folder / "root", folder / "other"),
        ("delete", folder / "less", folder / "root", 1),
    )
    yield Tried(request.param, folder, episodes, *told)
    shutil.rmtree(folder)


def test_every_number_task_and_picture_arrives(tried: Tried) -> None:
    told = tried.loaded
    assert (told["length"], told["episodes"], told["fps"]) == (FRAMES, len(ours.LENGTHS), ours.FPS)
    assert told["robot"] == "so101" and told["tasks"] == OF_EACH_FRAME
    assert told["task_table"] == list(dict.fromkeys(ours.TASKS))
    with np.load(tried.folder / "frames.npz") as frames:
        for name, feature in ours.features(tried.picture).items():
            written = np.concatenate([episode[name] for episode in tried.episodes])
            if not feature.is_picture:
                np.testing.assert_array_equal(frames[name].reshape(written.shape), written, err_msg=name)
                continue
            stored = frames[name].transpose(0, 2, 3, 1)
            stored = stored if stored.dtype == np.uint8 else (stored * 255).round()
            assert np.abs(stored.astype(float) - written).mean() < (3 if tried.picture == "video" else 1e-6), name
            # What they decode is what our reader decodes, but for how either rounds colours.
            dataset = Dataset.open(tried.folder / "root")
            here = np.concatenate([dataset.episode(number, [name])[name] for number in range(len(dataset))])
            assert np.abs(stored.astype(float) - here).max() <= 4, name


def test_windows_of_frames_and_batches_are_right(tried: Tried) -> None:
    told = tried.loaded
    assert told["windows_agree"]
    assert told["padded"] == [[True, False], [False, True, True]]
    assert told["batched"] == FRAMES
    for camera in tried.cameras:
        assert told["batch_shapes"][camera] == [4, 2, 3, ours.HEIGHT, ours.WIDTH]
    assert told["batch_shapes"]["action"] == [4, 3, len(ours.JOINTS)]
    assert (told["of_episode_1"], told["frames_of_episode_1"]) == ([1], ours.LENGTHS[1])


def test_it_has_the_statistics_that_policies_normalise_by(tried: Tried) -> None:
    assert set(ours.features(tried.picture)) <= set(tried.loaded["stats"])
    states = np.concatenate([episode["observation.state"] for episode in tried.episodes])
    np.testing.assert_allclose(tried.loaded["mean_state"], states.mean(axis=0), rtol=1e-5, atol=1e-6)


def test_their_recorder_goes_on_with_it(tried: Tried) -> None:
    assert tried.appended == {"length": FRAMES + NEW_LENGTH, "episodes": 5, "last_task": NEW_TASK}
    report = check(tried.folder / "grown")
    assert report.sound, report.problems
    dataset = Dataset.open(tried.folder / "grown")
    assert dataset.lengths.tolist() == [*ours.LENGTHS, NEW_LENGTH]
    assert dataset.episodes[4].tasks == (NEW_TASK,)
    last = dataset.episode(4)
    for camera in tried.cameras:
        assert np.abs(last[camera].astype(int) - 120).max() <= 4
    np.testing.assert_array_equal(dataset.episode(2)["action"], tried.episodes[2]["action"])


def test_their_tools_merge_it(tried: Tried) -> None:
    assert (tried.merged["length"], tried.merged["episodes"]) == (2 * FRAMES, 8)
    assert tried.merged["tasks"] == 2 * OF_EACH_FRAME
    _sound_and_alike(tried, "merged", [0, 1, 2, 3])


def test_their_tools_delete_from_it(tried: Tried) -> None:
    assert (tried.deleted["length"], tried.deleted["episodes"]) == (FRAMES - ours.LENGTHS[1], 3)
    _sound_and_alike(tried, "less", [0, 2, 3])


def _sound_and_alike(tried: Tried, name: str, kept: list[int]) -> None:
    """The set that they made is sound to us, and its first episodes are those of ours."""
    report = check(tried.folder / name)
    assert report.sound, report.problems
    source, made = Dataset.open(tried.folder / "root"), Dataset.open(tried.folder / name)
    for number, old in enumerate(kept):
        assert made.episodes[number].tasks == source.episodes[old].tasks
        columns = made.episode(number)
        for feature, values in tried.episodes[old].items():
            if feature not in tried.cameras:
                np.testing.assert_array_equal(columns[feature], values, err_msg=feature)
            else:
                assert np.abs(columns[feature].astype(float) - values).mean() < 4, feature
