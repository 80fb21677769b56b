"""Frames in any order are those that whole episodes hold, to the bit, within bounds of files and memory."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.random_access import RandomAccess
from robot.errors import DatasetError
from tests.robot.dataset.samples import CAMERA, FPS, columns, features, write
from tests.robot.dataset.test_reader import several_to_a_file

WRIST = "observation.images.wrist"


def two_cameras(root: Path, episodes: int) -> Path:
    with DatasetWriter.create(root, FPS, {**features("video"), WRIST: features("video")[CAMERA]}, None) as writer:
        for seed in range(episodes):
            shown = columns(seed, 4 + seed % 3)
            writer.save_episode({**shown, WRIST: 255 - shown[CAMERA]}, "look")
    return root


def open_files(root: Path) -> int:
    links = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    return sum(os.path.realpath(link).startswith(str(root.resolve())) for link in links)


def assert_alike(dataset: Dataset, access: RandomAccess, order: list[int]) -> None:
    episodes = [dataset.episode(number) for number in range(len(dataset))]
    begins = np.cumsum([0, *dataset.lengths])
    for index in order:
        number = int(np.searchsorted(begins, index, side="right")) - 1
        frame = access[index]
        assert list(frame) == list(dataset.features)
        for name, values in episodes[number].items():
            np.testing.assert_array_equal(frame[name], values[index - begins[number]], err_msg=f"{name} at {index}")
            assert frame[name].dtype == values.dtype


@pytest.mark.parametrize("layout", ["image", "video", "two cameras", "several to a file"])
def test_every_frame_is_that_of_its_episode(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "set"
    if layout == "two cameras":
        two_cameras(root, 4)
    elif layout == "several to a file":
        several_to_a_file(root, True)
    else:
        write(root, 4, layout)
    dataset = Dataset.open(root)
    with RandomAccess(dataset) as access:
        total = len(access)
        assert total == dataset.lengths.sum()
        shuffled = np.random.default_rng(0).permutation(total).tolist()
        assert_alike(dataset, access, [*shuffled, *range(total), *reversed(range(total)), 3, 3, 2, 4, 1])


def test_no_more_files_stay_open_than_allowed_and_none_after_closing(tmp_path: Path) -> None:
    root = two_cameras(tmp_path / "set", 6)
    dataset = Dataset.open(root)
    with RandomAccess(dataset, most_open=4, most_bytes=1) as access:
        assert_alike(dataset, access, np.random.default_rng(1).permutation(len(access)).tolist())
        assert open_files(root) == 4
    assert open_files(root) == 0
    for wrong in ({"most_open": 1}, {"most_bytes": 0}):
        with pytest.raises(DatasetError, match="too few"):
            RandomAccess(dataset, **wrong)


def test_frames_read_ahead_are_the_same_and_in_order(tmp_path: Path) -> None:
    root = two_cameras(tmp_path / "set", 6)
    with RandomAccess(Dataset.open(root), most_open=2) as access:
        order = np.random.default_rng(2).permutation(len(access)).tolist()
        for index, frame in zip(order, access.read(order), strict=True):
            assert frame["index"] == index
            alone = access[index]
            assert all(np.array_equal(frame[name], alone[name]) for name in alone) and frame.keys() == alone.keys()
        ahead = access.read([0, 1, len(access)])
        with pytest.raises(IndexError, match="the frames 0 to"):
            list(ahead)
        assert open_files(root) == 2
    assert open_files(root) == 0


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3, "video")
    with RandomAccess(Dataset.open(root)) as access:
        for index in (-1, len(access)):
            with pytest.raises(IndexError, match="the frames 0 to 14"):
                access[index]
        video = root / f"videos/{CAMERA}/chunk-000/file-001.mp4"
        short = (root / f"videos/{CAMERA}/chunk-000/file-000.mp4").read_bytes()
        video.write_bytes(short)  # of four frames, and the episode of five
        assert access[7][CAMERA].shape == (16, 16, 3)
        with pytest.raises(DatasetError, match=r"file-001\.mp4 has no frame"):
            access[8]
        assert access[4]["index"] == 4
    for content, words in ((b"torn", "cannot be decoded"), (None, "is missing")):
        video.unlink() if content is None else video.write_bytes(content)
        with RandomAccess(Dataset.open(root)) as access, pytest.raises(DatasetError, match=words):
            access[5]
