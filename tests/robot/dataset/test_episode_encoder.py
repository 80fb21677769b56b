from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.episode_encoder import EpisodeEncoder
from robot.dataset.format.encoding import encode_episode
from robot.dataset.format.statistics import PictureSample, picture_statistics
from robot.errors import DatasetError
from tests.commands import ROOT
from tests.robot.dataset.samples import CAMERA, FPS, assert_holds, columns, features


def numbers(seed: int, length: int) -> dict[str, np.ndarray]:
    return {name: values for name, values in columns(seed, length).items() if name != CAMERA}


@pytest.mark.parametrize("picture", ["image", "video"])
def test_an_episode_encoded_while_it_comes_is_the_same_as_one_encoded_at_once(tmp_path: Path, picture: str) -> None:
    whole = columns(3, 9)
    encoder = EpisodeEncoder(features(picture), FPS)
    for frame in whole[CAMERA]:
        encoder.add({CAMERA: frame})
    made = encoder.finish(numbers(3, 9))
    encoder.close()
    at_once = encode_episode(features(picture), FPS, whole)
    assert made.images == at_once.images and made.length == 9
    assert made.statistics.keys() == at_once.statistics.keys()
    for name, entry in at_once.statistics.items():
        for key, value in entry.items():
            np.testing.assert_array_equal(made.statistics[name][key], value)
    with DatasetWriter.create(tmp_path / "set", FPS, features(picture), "panda") as writer:
        writer.save_encoded(made, "wait", {"seed": 3})
    assert check(tmp_path / "set").sound
    assert_holds(Dataset.open(tmp_path / "set").episode(0), whole, lossy=picture == "video")


def test_pictures_and_numbers_that_do_not_fit_are_refused() -> None:
    encoder = EpisodeEncoder(features(), FPS)
    with pytest.raises(DatasetError, match="rows of numbers, at least one"):
        encoder.finish(numbers(0, 1))
    with pytest.raises(DatasetError, match="not"):
        encoder.add({CAMERA: np.zeros((8, 16, 3), np.uint8)})
    with pytest.raises(DatasetError, match="not"):
        encoder.add({CAMERA: np.zeros((16, 16, 3), np.float32)})
    encoder.add({CAMERA: np.zeros((16, 16, 3), np.uint8)})
    with pytest.raises(DatasetError, match="rows of numbers"):
        encoder.finish(numbers(0, 2))
    with pytest.raises(DatasetError, match="columns"):
        encoder.finish({"action": np.zeros((1, 2), np.float32)})
    encoder.close()


def test_one_that_is_given_up_says_nothing() -> None:
    script = """
import numpy as np
from robot.dataset.episode_encoder import EpisodeEncoder
from tests.robot.dataset.samples import CAMERA, features
for count in (0, 1, 5):
    encoder = EpisodeEncoder(features("video", 64), 30)
    for _ in range(count):
        encoder.add({CAMERA: np.zeros((64, 64, 3), np.uint8)})
    encoder.close()
    encoder.close()
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("count", [1, 99, 200, 1001])
def test_however_long_an_episode_is_a_few_pictures_tell_of_all(count: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (count, 4, 6, 3), np.uint8)
    sample = PictureSample()
    for frame in frames:
        sample.add(frame)
    assert len(sample._kept) < 200
    found, wanted = sample.statistics(), picture_statistics(frames)
    np.testing.assert_allclose(found["mean"], wanted["mean"], atol=0.02)
    assert found["count"] == wanted["count"] or count > 200
