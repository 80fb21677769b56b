"""What the tests of joining, splitting and deleting share: sets of named tasks, and comparisons to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robot.dataset import Dataset, DatasetWriter
from tests.robot.dataset.samples import FPS, columns, features

CHANGING = {"episode_index", "index", "task_index"}


def fill(root: Path, picture: str, episodes: Sequence[tuple[int, str]]) -> Path:
    """A set whose episodes have these seeds and tasks, 4, 5, 6, 4, ... frames by their seed."""
    with DatasetWriter.create(root, FPS, features(picture), "panda", durable=False) as writer:
        for seed, task in episodes:
            writer.save_episode(columns(seed, 4 + seed % 3), task, {"seed": seed})
    return root


def assert_frames(one: Dataset, index: int, other: Dataset, number: int) -> None:
    """Both episodes hold the same, decoded pictures included, but for their places in their sets."""
    here, there = one.episode(index), other.episode(number)
    assert here.keys() == there.keys()
    for name in here.keys() - CHANGING:
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)
    assert one.episodes[index].tasks == other.episodes[number].tasks
    assert one.episodes[index].extra == other.episodes[number].extra
    assert (here["episode_index"] == index).all()
    assert {one.tasks[task] for task in here["task_index"]} == {other.tasks[task] for task in there["task_index"]}
    for key, span in one.episodes[index].videos.items():
        old = other.episodes[number].videos[key]
        stored = one.root / one.info.video_file(key, span.chunk, span.file)
        assert stored.read_bytes() == (other.root / other.info.video_file(key, old.chunk, old.file)).read_bytes()


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its bytes."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
