"""Sets joined: every frame is there as it was, and what does not belong together is refused with nothing written."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.edit.merge import merge
from robot.embodiment.actions import PLANAR_PUSH
from robot.embodiment.convention_file import KIND
from robot.errors import DatasetError, RecordingError
from tests.commands import ROOT, environment, in_process, on_a_full_disk
from tests.robot.dataset.edit.edits import assert_frames, fill, tree
from tests.robot.dataset.samples import CAMERA, FPS, columns, features, write
from tests.robot.dataset.test_reader import DATA, several_to_a_file
from tests.soak import often


@pytest.mark.parametrize("picture", ["image", "video"])
def test_every_episode_is_there_as_it_was(tmp_path: Path, picture: str) -> None:
    first = fill(tmp_path / "first", picture, [(0, "push"), (1, "pull"), (2, "push")])
    second = fill(tmp_path / "second", picture, [(3, "lift"), (4, "push")])
    before = tree(first), tree(second)
    result = in_process("dataset", "merge", str(tmp_path / "both"), str(first), str(second))
    assert (result.returncode, result.stderr) == (0, "")
    assert "both: 5 episodes, 24 frames, 3 task(s), from 2 data set(s)" in result.stdout
    assert (tree(first), tree(second)) == before

    both = Dataset.open(tmp_path / "both")
    assert check(both.root).problems == ()
    assert both.tasks == ("push", "pull", "lift")
    assert [episode.tasks[0] for episode in both.episodes] == ["push", "pull", "push", "lift", "push"]
    assert [episode.extra["seed"] for episode in both.episodes] == [0, 1, 2, 3, 4]
    assert both.episode(4)["task_index"].tolist() == [0] * 5
    for index, (root, number) in enumerate([(first, 0), (first, 1), (first, 2), (second, 0), (second, 1)]):
        assert_frames(both, index, Dataset.open(root), number)
    with DatasetWriter.open(both.root, FPS, features(picture), durable=False) as writer:
        assert writer.save_episode(columns(5, 6), "pull", {"seed": 5}) == 5
    assert check(both.root).problems == ()


@settings(max_examples=often(6, 240))
@given(lengths=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=3), data=st.data())
def test_statistics_are_those_of_all_frames(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[list[int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sets")
    frames, tasks = [], []
    for number, set_lengths in enumerate(lengths):
        with DatasetWriter.create(folder / f"{number}", FPS, {"x": Feature("float32")}, None, durable=False) as writer:
            for length in set_lengths:
                values = np.array(data.draw(st.lists(st.floats(-1e3, 1e3, width=32), min_size=length, max_size=length)))
                tasks.append(data.draw(st.sampled_from(["a", "b", "c"])))
                writer.save_episode({"x": values.astype(np.float32)}, tasks[-1])
                frames.append(values)
    info = merge(folder / "all", [folder / f"{number}" for number in range(len(lengths))])
    assert check(folder / "all").problems == ()
    everything = np.concatenate(frames)
    assert (info.total_episodes, info.total_frames) == (len(frames), len(everything))
    statistics = json.loads((folder / "all/meta/stats.json").read_text())["x"]
    for key, value in (("min", everything.min()), ("max", everything.max()), ("mean", everything.mean())):
        assert statistics[key] == pytest.approx([value], rel=1e-5, abs=1e-5)
    assert statistics["std"] == pytest.approx([everything.std()], rel=1e-4, abs=1e-3)
    merged = Dataset.open(folder / "all")
    assert set(merged.tasks) == set(tasks)
    for index, (values, task) in enumerate(zip(frames, tasks, strict=True)):
        episode = merged.episode(index)
        np.testing.assert_array_equal(episode["x"], values.astype(np.float32))
        assert {merged.tasks[number] for number in episode["task_index"]} == {task}


def test_a_full_chunk_rolls_over(tmp_path: Path) -> None:
    for name, seeds in (("a", (0, 1)), ("b", (2, 3))):
        root = fill(tmp_path / name, "video", [(seed, "push") for seed in seeds])
        change_info(root, chunks_size=2)
    merge(tmp_path / "both", [tmp_path / "a", tmp_path / "b"])
    assert (tmp_path / "both/data/chunk-001/file-001.parquet").exists()
    assert check(tmp_path / "both").problems == ()


def test_what_sets_remember_is_kept(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        change_info(
            fill(tmp_path / name, "image", [(seed, "push")]), worldarm={"recording": {}, "play": {"seed": seed}}
        )
    metadata = merge(tmp_path / "both", [tmp_path / "a", tmp_path / "b"]).metadata
    assert metadata["recording"] == {}
    assert "play" not in metadata  # the whole was not played with either
    assert [part["play"]["seed"] for part in metadata["history"][0]["parts"]] == [1, 2]


def test_what_was_recorded_before_conventions_had_kinds_is_no_other_recording(tmp_path: Path) -> None:
    action = msgspec.json.decode(msgspec.json.encode(PLANAR_PUSH))
    earlier = {name: value for name, value in action.items() if name != KIND}
    for name, stored in (("a", earlier), ("b", action)):
        recording = {"recording": {"arm": "panda", "action": stored}, "play": {"seed": name}}
        change_info(fill(tmp_path / name, "image", [(1, "push")]), worldarm=recording)
    metadata = merge(tmp_path / "both", [tmp_path / "a", tmp_path / "b"]).metadata
    assert metadata["recording"]["action"] == earlier
    assert [set(part) for part in metadata["history"][0]["parts"]] == [{"name", "episodes", "play"}] * 2


def change_info(root: Path, **entries: object) -> None:
    path = root / "meta/info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def note(root: Path, entries: Mapping[str, object]) -> Path:
    """Put entries into what the set says about its camera's pictures."""
    features = json.loads((root / "meta/info.json").read_text())["features"]
    features[CAMERA]["info"] = {**features[CAMERA].get("info", {}), **entries}
    change_info(root, features=features)
    return root


def test_videos_of_other_encoders_are_merged_and_only_shared_notes_are_kept(tmp_path: Path) -> None:
    first = note(write(tmp_path / "first", 1, "video"), {"video.crf": 30, "video.g": 2})
    second = note(write(tmp_path / "second", 1, "video"), {"video.codec": "h264", "video.g": 2, "video.preset": None})
    info = merge(tmp_path / "both", [first, second])
    assert check(tmp_path / "both").problems == ()
    notes = info.features[CAMERA].info
    assert notes["video.g"] == 2 and notes["video.height"] == 16
    assert not {"video.codec", "video.crf", "video.preset"} & notes.keys()
    note(second, {"video.is_depth_map": True})
    with pytest.raises(DatasetError, match=r"the entry video\.is_depth_map of feature .* of the one false, .* true"):
        merge(tmp_path / "other", [first, second])


def another(
    root: Path, fps: int = FPS, robot: str = "panda", extra: Mapping[str, object] | None = None, **of: Feature
) -> None:
    with DatasetWriter.create(root, fps, {**features(), **of}, robot, durable=False) as writer:
        filled = {name: np.zeros((5, *feature.shape), feature.dtype) for name, feature in of.items()}
        writer.save_episode(columns(0) | filled, "push", {"seed": 0} if extra is None else extra)


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "arm": (lambda root: another(root, robot="so101"), "arm of the one panda, of the other so101"),
    "rate": (lambda root: another(root, fps=9), "frames a second of the one 8, of the other 9"),
    "video": (lambda root: write(root, 1, "video"), f"feature '{CAMERA}' of the one image .*, of the other video"),
    "one more": (
        lambda root: another(root, force=Feature("float32")),
        "feature 'force' of the one absent, of the other float32",
    ),
    "names": (
        lambda root: another(root, **{"observation.state": replace(features()["observation.state"], names=None)}),
        "named x, y, z, of the other",
    ),
    "extras": (
        lambda root: another(root, extra={"who": "me"}),
        "extras of the episodes of the one .*seed.*, of the other .*who",
    ),
    "embodiment": (
        lambda root: change_info(write(root, 1), worldarm={"recording": {"arm": "x"}}),
        r"in another way .*worldarm\.recording in meta/info.json is .*there and absent here",
    ),
    "depth": (
        lambda root: note(write(root, 1), {"depth.unit": "mm"}),
        f"the entry depth.unit of feature '{CAMERA}' of the one absent, of the other \"mm\"",
    ),
    "empty": (lambda root: DatasetWriter.create(root, FPS, features(), "panda").close(), "without an episode"),
    "absent": (lambda root: None, "does not exist"),
    "no set": (lambda root: root.mkdir(), "is not a data set"),
    "other program": (lambda root: several_to_a_file(root, True), "extras of the episodes of the one .*seed"),
    "torn": (lambda root: truncate(write(root, 2) / DATA.format(1)), "cannot be read"),
    "too long": (lambda root: lengthen(write(root, 2) / DATA.format(1)), "6 frames, and its episode 5"),
    "missing": (lambda root: (write(root, 2) / DATA.format(0)).unlink(), "check the data set"),
}


def truncate(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def lengthen(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]), path)


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not_belong_together_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    make, words = OTHERS[name]
    first = write(tmp_path / "first", 1, "video" if name == "other program" else "image")
    make(tmp_path / "other")
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match=words):
        merge(tmp_path / "both", [first, tmp_path / "other"])
    assert tree(tmp_path) == before


def test_a_video_that_cannot_be_cut_without_encoding_is_refused(tmp_path: Path) -> None:
    shared = several_to_a_file(tmp_path / "shared", True)
    with pytest.raises(DatasetError, match=r"at 1\.125 s does not begin with a key frame"):
        merge(tmp_path / "apart", [shared])
    assert [path.name for path in tmp_path.iterdir()] == ["shared"]


@pytest.mark.parametrize("damage", [truncate, lambda path: path.unlink()])
def test_a_damaged_video_is_found_before_it_spreads(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    first, second = write(tmp_path / "first", 1, "video"), write(tmp_path / "second", 2, "video")
    damage(second / f"videos/{CAMERA}/chunk-000/file-001.mp4")
    with pytest.raises(DatasetError, match=r"file-001\.mp4"):
        merge(tmp_path / "both", [first, second])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


@pytest.mark.parametrize("place", ["first", "first/inside", "file", "link"])
def test_a_place_that_is_taken_is_refused(tmp_path: Path, place: str) -> None:
    first = write(tmp_path / "first", 1)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    before = tree(tmp_path)
    with pytest.raises(DatasetError, match=r"exists already|lie inside"):
        merge(tmp_path / place, [first])
    assert tree(tmp_path) == before


def test_the_same_set_twice_and_none_at_all_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "first", 1)
    (tmp_path / "link").symlink_to("first")
    with pytest.raises(DatasetError, match="twice"):
        merge(tmp_path / "both", [first, tmp_path / "link"])
    with pytest.raises(DatasetError, match="at least one"):
        merge(tmp_path / "both", [])


def test_a_set_that_is_being_written_is_left_to_its_writer(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", 1), write(tmp_path / "second", 1)
    with DatasetWriter.open(second), pytest.raises(DatasetError, match="another process is writing"):
        merge(tmp_path / "both", [first, second])
    assert not (tmp_path / "both").exists()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    first = write(tmp_path / "first", 3)
    before = tree(tmp_path)
    result = on_a_full_disk("-m", "worldarm", "dataset", "merge", tmp_path / "both", first, limit=4096)
    assert result.returncode == 1
    assert result.stderr == f"worldarm: {tmp_path / 'both'} cannot be written: File too large\n"
    assert tree(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A place that not even the superuser can write to stands for a read-only folder."""
    first = write(tmp_path / "first", 1)
    with pytest.raises(RecordingError, match="/proc/sets/both"):
        merge(Path("/proc/sets/both"), [first])
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RecordingError, match="file/both cannot be written"):
        merge(tmp_path / "file/both", [first])


def test_what_a_killed_merge_left_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    first = write(tmp_path / "first", 2)
    shutil.copytree(first, tmp_path / ".both.tmp")
    merge(tmp_path / "both", [first])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "first"]
    assert check(tmp_path / "both").problems == ()


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_merge_leaves_nothing_behind(tmp_path: Path, how: signal.Signals, status: int) -> None:
    first = tmp_path / "first"
    with DatasetWriter.create(first, FPS, {"x": Feature("float32")}, None, durable=False) as writer:
        for _ in range(150):
            writer.save_episode({"x": np.zeros(5, np.float32)}, "wait")
    command = [sys.executable, "-m", "worldarm", "dataset", "merge", str(tmp_path / "both"), str(first)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / ".both.tmp/data").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(60) == status
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
    assert check(first).problems == ()
