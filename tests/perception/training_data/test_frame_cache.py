from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perception.training_data.frame_cache import FrameCache, open_cache
from robot.dataset.format.columns import ABSENT_BELOW_M, CLEAN_ACTION, OBJECT_POSE
from robot.dataset.reader import Dataset
from robot.dataset.writer import DatasetWriter
from robot.errors import DatasetError
from tests.commands import on_a_full_disk
from tests.robot.dataset import samples
from tests.tiny import frames


def written(root: Path, episodes: int = 3, without: str = "") -> Dataset:
    """A data set of random episodes that lacks the feature `without`."""
    features = {name: feature for name, feature in samples.features().items() if name != without}
    with DatasetWriter.create(root, samples.FPS, features, "panda", durable=False) as writer:
        for seed in range(episodes):
            columns = samples.columns(seed, 4 + seed % 3)
            writer.save_episode({name: columns[name] for name in features}, "task")
    return Dataset.open(root)


def stamp(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def assert_matches(cache: FrameCache, dataset: Dataset, camera: str) -> None:
    assert cache.frames == dataset.lengths.sum() == len(cache.images)
    np.testing.assert_array_equal(cache.lengths, dataset.lengths)
    for index, (first, length) in enumerate(zip(cache.starts, cache.lengths, strict=True)):
        columns = dataset.episode(index)
        part = slice(first, first + length)
        np.testing.assert_array_equal(cache.images[part], columns[f"observation.images.{camera}"])
        np.testing.assert_array_equal(cache.states[part], columns["observation.state"])
        np.testing.assert_array_equal(cache.actions[part], columns["action"])
        np.testing.assert_array_equal(
            cache.clean_actions[part], columns[CLEAN_ACTION if CLEAN_ACTION in columns else "action"]
        )
        if cache.truth is not None:
            names = sorted(name for name in columns if name.startswith(OBJECT_POSE))
            positions = np.stack([columns[name][:, :3] for name in names], axis=1)
            positions[positions[..., 2] < ABSENT_BELOW_M] = np.nan
            np.testing.assert_array_equal(cache.truth[part], positions)


def test_it_holds_what_play_recorded(play_set: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(play_set)
    cache = open_cache(dataset, "front", tmp_path)
    assert cache.truth is not None and cache.images.dtype == np.uint8
    assert cache.fingerprint == dataset.fingerprint()
    assert_matches(cache, dataset, "front")


def test_a_set_without_truth_has_none(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    cache = open_cache(dataset, "front", tmp_path / "cache")
    assert cache.truth is None
    assert_matches(cache, dataset, "front")


def test_it_is_built_once(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    open_cache(dataset, "front", tmp_path / "cache")
    before = stamp(tmp_path / "cache")
    open_cache(Dataset.open(dataset.root), "front", tmp_path / "cache")
    assert stamp(tmp_path / "cache") == before


def test_it_is_built_anew_when_the_data_changed(tmp_path: Path) -> None:
    first = open_cache(written(tmp_path / "set"), "front", tmp_path / "cache")
    with DatasetWriter.open(tmp_path / "set", durable=False) as writer:
        writer.save_episode(samples.columns(99), "task")
    grown = Dataset.open(tmp_path / "set")
    second = open_cache(grown, "front", tmp_path / "cache")
    assert second.fingerprint != first.fingerprint
    assert_matches(second, grown, "front")


def test_a_half_built_one_is_never_used(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    open_cache(dataset, "front", tmp_path / "whole")
    (whole,) = (tmp_path / "whole").iterdir()
    half = tmp_path / "cache" / f".{whole.name}.tmp"
    shutil.copytree(whole, half)
    (half / "states.npy").write_bytes(b"half")
    (half / "cache.json").unlink()
    cache = open_cache(dataset, "front", tmp_path / "cache")
    assert_matches(cache, dataset, "front")
    assert [child.name for child in (tmp_path / "cache").iterdir()] == [whole.name]


@pytest.mark.parametrize(
    ("feature", "words"),
    [(samples.CAMERA, "a camera named 'front'"), ("action", "no actions"), ("observation.state", "no states")],
)
def test_what_is_missing_is_named(tmp_path: Path, feature: str, words: str) -> None:
    dataset = written(tmp_path / "set", without=feature)
    with pytest.raises(DatasetError, match=words) as caught:
        open_cache(dataset, "front", tmp_path / "cache")
    assert "it holds" in str(caught.value) and "success" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_numbers_that_are_not_finite_are_refused_and_leave_no_cache(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    path = next(dataset.files())
    table = pq.read_table(path)
    place = table.schema.get_field_index("observation.state")
    values = table.column(place).combine_chunks().flatten().to_numpy(zero_copy_only=False).copy()
    values[4] = np.nan  # as other programs may write it; worldarm's own writer refuses to
    column = pa.FixedSizeListArray.from_arrays(pa.array(values), 3)
    pq.write_table(table.set_column(place, table.schema.field(place).with_type(column.type), column), path)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"'observation\.state' that are not finite"):
            open_cache(Dataset.open(dataset.root), "front", tmp_path / "cache")


def test_a_broken_data_file_leaves_no_cache(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    list(dataset.files())[1].write_bytes(b"torn")
    for _ in range(2):
        with pytest.raises(DatasetError):
            open_cache(dataset, "front", tmp_path / "cache")


def test_the_room_for_the_pictures_is_taken_before_the_first_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = written(tmp_path / "set", episodes=40)
    found: list[os.stat_result] = []

    def first(*_: object) -> None:
        found.extend(path.stat() for path in (tmp_path / "cache").glob(".*.tmp/images.npy"))
        raise DatasetError("enough")

    monkeypatch.setattr(Dataset, "episode", first)
    with pytest.raises(DatasetError, match="enough"):
        open_cache(dataset, "front", tmp_path / "cache")
    (pictures,) = found
    assert pictures.st_blocks * 512 >= pictures.st_size > 100_000
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_room_is_said_and_nothing_left_of_it(tmp_path: Path) -> None:
    dataset = written(tmp_path / "set")
    script = f"""
from pathlib import Path
from perception.training_data.frame_cache import open_cache
from robot.dataset.reader import Dataset
open_cache(Dataset.open(Path({str(dataset.root)!r})), "front", Path({str(tmp_path / "cache")!r}))
"""
    result = on_a_full_disk("-c", script, limit=5000)
    assert result.returncode == 1, "it ended by an error, not by a signal"
    assert f"DatasetError: there is no room for the decoded frames of {dataset.root} in {tmp_path}" in result.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_takes_no_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no way to keep the decoded frames of .* in /dev/null/cache: "):
        open_cache(written(tmp_path / "set"), "front", Path("/dev/null/cache"))


def test_a_series_is_known_however_many_episodes_there_are(tmp_path: Path) -> None:
    few = open_cache(written(tmp_path / "few", 2), "front", tmp_path / "cache")
    more = open_cache(written(tmp_path / "more", 3), "front", tmp_path / "cache")
    assert few.series == more.series and few.fingerprint != more.fingerprint
    with DatasetWriter.create(tmp_path / "other", samples.FPS, samples.features(), "panda", durable=False) as writer:
        writer.save_episode(samples.columns(99), "task")
    assert open_cache(Dataset.open(tmp_path / "other"), "front", tmp_path / "cache").series != few.series


@pytest.mark.parametrize(("episodes", "share", "kept"), [(2, 0.05, 1), (12, 0.05, 1), (100, 0.05, 5), (4, 0.25, 1)])
def test_the_last_episodes_are_kept_aside(episodes: int, share: float, kept: int) -> None:
    fit, judge = frames([5] * episodes).split(share)
    assert list(fit) + list(judge) == list(range(episodes))
    assert len(judge) == kept


def test_one_episode_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match="too few to keep some for validation"):
        frames([5]).split(0.05)


@pytest.mark.parametrize(
    ("recorded", "share", "kept"),
    [((0, 0, 1, 1, 1), 0.05, (2, 3, 4)), ((0, 1, 2, 2), 0.67, (1, 2, 3)), ((3, 4, 4, 5), 0.3, (3,))],
)
def test_what_was_recorded_in_one_go_is_not_torn_apart(
    recorded: tuple[int, ...], share: float, kept: tuple[int, ...]
) -> None:
    cache = dataclasses.replace(frames([8] * len(recorded)), recorded=np.array(recorded))
    fit, judging = cache.split(share)
    assert tuple(judging) == kept and sorted((*fit, *judging)) == list(range(len(recorded)))
    later = dataclasses.replace(frames([8] * (len(recorded) + 2)), recorded=np.array([*recorded, 7, 7]))
    fit_then, judging_then = later.split(share, len(recorded))
    assert list(fit_then) == list(fit) and list(judging_then) == [*judging, len(recorded), len(recorded) + 1]


def test_one_recording_in_pieces_is_too_few() -> None:
    with pytest.raises(DatasetError, match="1 episode"):
        dataclasses.replace(frames([8, 8]), recorded=np.array([0, 0])).split(0.05)
