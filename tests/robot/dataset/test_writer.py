from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot.dataset import Dataset, DatasetWriter, Feature, encode_episode
from robot.dataset.edit.check import check
from robot.dataset.format.staged_files import leftovers
from robot.errors import DatasetError, RecordingError
from tests.robot.dataset.samples import CAMERA, FPS, assert_holds, columns, features, write
from tests.soak import often

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("picture", ["image", "video"])
def test_what_is_written_is_read_back(tmp_path: Path, picture: str) -> None:
    root = write(tmp_path / "set", 4, picture)
    dataset = Dataset.open(root)
    assert len(dataset) == 4
    assert dataset.tasks == ("task 0", "task 1")
    assert dataset.lengths.tolist() == [4, 5, 6, 4]
    start = 0
    for index, length in enumerate(dataset.lengths):
        stored = dataset.episode(index)
        assert_holds(stored, columns(index, length), lossy=picture == "video")
        assert stored["index"].tolist() == list(range(start, start + length))
        assert stored["frame_index"].tolist() == list(range(length))
        assert set(stored["episode_index"]) == {index}
        assert set(stored["task_index"]) == {index % 2}
        np.testing.assert_array_equal(stored["timestamp"], (np.arange(length) / FPS).astype(np.float32))
        assert dataset.episodes[index].extra == {"seed": index}
        start += length


@settings(max_examples=often(12, 500))
@given(data=st.data())
def test_any_finite_numbers_and_any_pixels_survive(data: st.DataObject) -> None:
    length, size = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 6))
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    wanted = {
        "vector": Feature("float32", (size,)),
        "count": Feature("int64"),
        "flags": Feature("bool", (size,)),
        "camera": Feature("image", (height, width, 3)),
    }
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    contents = {
        "vector": data.draw(hnp.arrays(np.float32, (length, size), elements=finite)),
        "count": data.draw(hnp.arrays(np.int64, length)),
        "flags": data.draw(hnp.arrays(np.bool_, (length, size))),
        "camera": data.draw(hnp.arrays(np.uint8, (length, height, width, 3))),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        with DatasetWriter.create(root, 30, wanted, None, durable=False) as writer:
            writer.save_episode(contents, "anything")
        stored = Dataset.open(root).episode(0)
        for name, values in contents.items():
            np.testing.assert_array_equal(stored[name], values.reshape(stored[name].shape))
        assert check(root).problems == ()


def test_a_set_can_be_continued(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    with DatasetWriter.open(root, FPS, features()) as writer:
        assert writer.save_episode(columns(2, 6), "task 0", {"seed": 2}) == 2
        assert writer.save_episode(columns(3, 4), "task 1", {"seed": 3}) == 3
    assert json.loads((root / "meta/stats.json").read_text()) == json.loads(
        (write(tmp_path / "at once", 4) / "meta/stats.json").read_text()
    )
    assert Dataset.open(root).fingerprint() == Dataset.open(tmp_path / "at once").fingerprint()
    assert check(root).problems == ()


def test_an_empty_set_can_be_continued(tmp_path: Path) -> None:
    DatasetWriter.create(tmp_path / "set", FPS, features(), None).close()
    with DatasetWriter.open(tmp_path / "set") as writer:
        assert writer.save_episode(columns(0), "first") == 0


def test_episodes_encoded_elsewhere_are_the_same(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    with DatasetWriter.create(tmp_path / "other", FPS, features(), "panda", durable=False) as writer:
        for seed in range(3):
            encoded = encode_episode(features(), FPS, columns(seed, 4 + seed % 3))
            writer.save_encoded(encoded, f"task {seed % 2}", {"seed": seed})
    assert Dataset.open(root).fingerprint() == Dataset.open(tmp_path / "other").fingerprint()


def test_files_roll_over_into_the_next_chunk_folder(tmp_path: Path) -> None:
    root = tmp_path / "set"
    DatasetWriter.create(root, FPS, features("video"), None).close()
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "chunks_size": 2}))
    with DatasetWriter.open(root, durable=False) as writer:
        for seed in range(5):
            writer.save_episode(columns(seed), "roll")
    for folder, suffix in (("data", "parquet"), ("meta/episodes", "parquet"), (f"videos/{CAMERA}", "mp4")):
        files = sorted(path.relative_to(root / folder).as_posix() for path in (root / folder).rglob(f"*.{suffix}"))
        assert files == [f"chunk-00{n // 2}/file-00{n % 2}.{suffix}" for n in range(5)]
    dataset = Dataset.open(root)
    for seed in range(5):
        assert_holds(dataset.episode(seed), columns(seed), lossy=True)


def test_the_files_are_as_the_reference_library_wants_them(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    schema = pq.read_schema(root / "data/chunk-000/file-000.parquet")
    assert schema.field("observation.state").type == pa.list_(pa.float32(), 3)
    assert schema.field("action").type == pa.list_(pa.float32(), 2)
    assert schema.field("capture_ns").type == pa.int64()
    assert schema.field("success").type == pa.bool_()
    assert schema.field(CAMERA).type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert schema.field("timestamp").type == pa.float32()
    for name in ("frame_index", "episode_index", "index", "task_index"):
        assert schema.field(name).type == pa.int64()

    tasks = pq.read_schema(root / "meta/tasks.parquet")
    assert json.loads(tasks.metadata[b"pandas"])["index_columns"] == ["task"]
    row = pq.read_table(root / "meta/episodes/chunk-000/file-001.parquet").to_pylist()[0]
    assert row["episode_index"] == 1 and row["length"] == 5 and row["tasks"] == ["task 1"]
    assert (row["dataset_from_index"], row["dataset_to_index"]) == (4, 9)
    assert (row["data/chunk_index"], row["data/file_index"]) == (0, 1)
    assert (row["meta/episodes/chunk_index"], row["meta/episodes/file_index"]) == (0, 1)
    assert np.shape(row[f"stats/{CAMERA}/mean"]) == (3, 1, 1)
    for key in ("min", "max", "mean", "std", "q01", "q10", "q50", "q90", "q99"):
        assert len(row[f"stats/action/{key}"]) == 2
    assert row["stats/action/count"] == [5]

    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 15, 2)
    assert info["splits"] == {"train": "0:3"}
    assert info["video_path"] is None
    assert info["features"]["observation.state"] == {"dtype": "float32", "shape": [3], "names": ["x", "y", "z"]}
    assert info["features"][CAMERA]["names"] == ["height", "width", "channels"]
    assert list(leftovers(root)) == []


def test_video_columns_are_not_in_the_data_file(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2, "video")
    assert CAMERA not in pq.read_schema(root / "data/chunk-000/file-000.parquet").names
    row = pq.read_table(root / "meta/episodes/chunk-000/file-001.parquet").to_pylist()[0]
    assert row[f"videos/{CAMERA}/file_index"] == 1
    assert row[f"videos/{CAMERA}/from_timestamp"] == 0
    assert row[f"videos/{CAMERA}/to_timestamp"] == 5 / FPS


def test_a_folder_in_use_is_not_taken_for_a_new_set(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    with pytest.raises(DatasetError, match="already holds a data set"):
        DatasetWriter.create(root, FPS, features(), None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("dear")
    with pytest.raises(DatasetError, match="choose another folder"):
        DatasetWriter.create(tmp_path / "full", FPS, features(), None)
    assert (tmp_path / "full/letter.txt").read_text() == "dear"


def test_other_features_or_speed_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    with pytest.raises(DatasetError, match="8 frames a second, not 10"):
        DatasetWriter.open(root, 10)
    with pytest.raises(DatasetError, match=r"'action' is float32 \(2,\) there and float32 \(4,\) here"):
        DatasetWriter.open(root, FPS, {**features(), "action": Feature("float32", (4,))})
    with pytest.raises(DatasetError, match="'force' is absent there"):
        DatasetWriter.open(root, FPS, {**features(), "force": Feature("float32")})
    with pytest.raises(DatasetError, match="there is no data set"):
        DatasetWriter.open(tmp_path / "nowhere")


def test_a_set_of_another_program_is_not_appended_to(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    row = pq.read_table(path)
    pq.write_table(row.append_column("stats/index/range", pa.array([[0]])), path)
    with pytest.raises(DatasetError, match="another program"):
        DatasetWriter.open(root)


def test_an_episode_that_does_not_fit_is_refused_and_the_writer_goes_on(tmp_path: Path) -> None:
    with DatasetWriter.create(tmp_path / "set", FPS, features(), None, durable=False) as writer:
        writer.save_episode(columns(0), "fits", {"seed": 0})
        for wrong, extra, words in (
            ({"action": np.zeros((5, 3), np.float32)}, {"seed": 1}, "shape"),
            ({}, {"seed": 1.5}, "extras"),
            ({}, {}, "extras"),
            ({}, {"seed": [1]}, "bool, int, float, str or list of str"),
        ):
            with pytest.raises(DatasetError, match=words):
                writer.save_episode({**columns(1), **wrong}, "does not fit", extra)
        with pytest.raises(DatasetError, match="task"):
            writer.save_episode(columns(1), "", {"seed": 1})
        with pytest.raises(DatasetError, match="other pictures"):
            writer.save_encoded(
                encode_episode({"action": Feature("float32")}, FPS, {"action": np.zeros(3)}), "x", {"seed": 1}
            )
        assert writer.save_episode(columns(1), "fits", {"seed": 1}) == 1
    with pytest.raises(DatasetError, match="closed"):
        writer.save_episode(columns(2), "late", {"seed": 2})
    assert check(tmp_path / "set").problems == ()


@pytest.mark.parametrize("limit", [1_000, 4_000, 9_000, 16_000])
def test_files_that_do_not_fit_on_the_disk_leave_earlier_episodes_whole(tmp_path: Path, limit: int) -> None:
    """The kernel refuses to let a file grow past `limit` bytes, whichever file of the episode meets it first."""
    root = write(tmp_path / "set", 2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with DatasetWriter.open(root, durable=False) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(RecordingError, match=r"episode 2 could not be written.* before it are whole"):
                writer.save_episode(columns(2, 60), "task 2", {"seed": 2})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert check(root).problems == ()
    with DatasetWriter.open(root) as writer:
        assert writer.save_episode(columns(2, 6), "task 0", {"seed": 2}) == 2
    assert len(Dataset.open(root)) == 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs to be root")
    yield disk
    # Lazily: whatever looks over the disks of a busy machine may still have it open for a moment.
    subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=300)


def test_a_full_disk_and_a_read_only_one(small_disk: Path) -> None:
    root = small_disk / "set"
    with DatasetWriter.create(root, FPS, features(), None) as writer:
        with pytest.raises(RecordingError, match="No space left"):
            for seed in range(100):
                writer.save_episode(columns(seed), "fill", {"seed": seed})
        saved = writer.info.total_episodes
        assert 0 < saved < 100
        with pytest.raises(RecordingError):  # and again: nothing of the failure is in the way
            writer.save_episode(columns(saved, 200), "fill", {"seed": saved})
    assert [problem for problem in check(root).problems if "cut off" not in problem] == []
    dataset = Dataset.open(root)
    assert len(dataset) == saved
    for seed in range(saved):
        assert_holds(dataset.episode(seed), columns(seed), lossy=False)
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True, timeout=300)
    with DatasetWriter.open(root) as writer:
        assert writer.save_episode(columns(saved), "fill", {"seed": saved}) == saved
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True, timeout=300)
        with pytest.raises(RecordingError, match="Read-only"):
            writer.save_episode(columns(saved + 1), "fill", {"seed": saved + 1})
    with pytest.raises(RecordingError, match="Read-only"):
        DatasetWriter.create(small_disk / "other", FPS, features(), None)
    assert len(Dataset.open(root)) == saved + 1


def test_no_torch_is_loaded() -> None:
    program = "import sys, robot.dataset, robot.commands.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=300).returncode == 0
