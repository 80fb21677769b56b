from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.format.encoding import encode_png, encode_video
from robot.errors import DatasetError
from tests.robot.dataset.samples import CAMERA, FPS, assert_holds, columns, features, write

ROW = "meta/episodes/chunk-000/file-00{}.parquet"
DATA = "data/chunk-000/file-00{}.parquet"


def several_to_a_file(root: Path, row_groups: bool) -> Path:
    """The three episodes of a set moved into one data file, one video and one list, as other programs write them.

    Of the video, every second frame is a key frame: the first of episodes 0 and 1 is one, that of 2 is none.
    """
    write(root, 3, "video")
    tables = [pq.read_table(root / DATA.format(n)) for n in range(3)]
    rows = [pq.read_table(root / ROW.format(n)) for n in range(3)]
    with pq.ParquetWriter(root / "data.parquet", tables[0].schema) as writer:
        for table in tables if row_groups else [pa.concat_tables(tables)]:
            writer.write_table(table)
    video = f"videos/{CAMERA}"
    frames = np.concatenate([columns(n, 4 + n)[CAMERA] for n in range(3)])
    (root / "video.mp4").write_bytes(encode_video(frames, FPS))
    merged = pa.concat_tables(rows).to_pylist()
    for row in merged:
        row["data/file_index"] = row[f"{video}/file_index"] = row["meta/episodes/file_index"] = 0
        row[f"{video}/from_timestamp"] = row["dataset_from_index"] / FPS
        row[f"{video}/to_timestamp"] = row["dataset_to_index"] / FPS
    for folder in ("data", "meta/episodes", video):
        shutil.rmtree(root / folder)
        (root / folder / "chunk-000").mkdir(parents=True)
    (root / "data.parquet").rename(root / DATA.format(0))
    (root / "video.mp4").rename(root / video / "chunk-000/file-000.mp4")
    pq.write_table(pa.Table.from_pylist(merged), root / ROW.format(0))
    return root


@pytest.mark.parametrize("row_groups", [True, False])
def test_several_episodes_to_a_file(tmp_path: Path, row_groups: bool) -> None:
    root = several_to_a_file(tmp_path / "set", row_groups)
    dataset = Dataset.open(root)
    for index in (2, 0, 1):
        assert_holds(dataset.episode(index), columns(index, 4 + index), lossy=True)
    assert len(list(dataset.files())) == 2
    assert check(root).problems == ()


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2, "video")
    shutil.rmtree(root / "videos")
    dataset = Dataset.open(root)
    found = dataset.episode(1, ["action", "timestamp"])
    assert list(found) == ["action", "timestamp"]
    np.testing.assert_array_equal(found["action"], columns(1, 5)["action"])
    with pytest.raises(DatasetError, match=r"the video .*file-001.mp4 is missing"):
        dataset.episode(1)


def test_pictures_may_be_jpeg(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    table = pq.read_table(root / DATA.format(0))
    frames = columns(0, 4)[CAMERA]
    jpegs = [cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames]
    pictures = pa.array([{"bytes": data, "path": None} for data in jpegs], table.schema.field(CAMERA).type)
    pq.write_table(table.set_column(table.column_names.index(CAMERA), CAMERA, pictures), root / DATA.format(0))
    assert np.abs(Dataset.open(root).episode(0)[CAMERA].astype(int) - frames).mean() < 6


def test_h264_videos_of_other_programs(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1, "video")
    frames = columns(0, 4)[CAMERA]
    with av.open(str(root / f"videos/{CAMERA}/chunk-000/file-000.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.height, stream.width = frames.shape[1:3]
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    assert np.abs(Dataset.open(root).episode(0)[CAMERA].astype(int) - frames).mean() < 8


def test_a_set_that_is_absent_or_empty_or_half_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        Dataset.open(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatasetError, match="is not a data set"):
        Dataset.open(tmp_path / "folder")
    DatasetWriter.create(tmp_path / "empty", FPS, features(), None).close()
    with pytest.raises(DatasetError, match="without an episode"):
        Dataset.open(tmp_path / "empty")
    root = write(tmp_path / "set", 3)
    (root / ROW.format(1)).rename(root / "kept")
    with pytest.raises(DatasetError, match="should hold 3 episodes and has 2"):
        Dataset.open(root)
    (root / ROW.format(1)).write_bytes((root / "kept").read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"file-001.parquet is not a readable list"):
        Dataset.open(root)


def test_a_set_with_a_gap(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    (root / ROW.format(1)).unlink()
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "total_episodes": 2}))
    with pytest.raises(DatasetError, match="gap before episode 1"):
        Dataset.open(root)


def test_damaged_data_is_named(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 2)
    dataset = Dataset.open(root)
    path = root / DATA.format(1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DatasetError, match=r"file-001.parquet cannot be read"):
        dataset.episode(1)
    path.unlink()
    with pytest.raises(DatasetError, match=r"file-001.parquet is missing"):
        dataset.episode(1)
    shutil.copy(root / DATA.format(0), path)
    with pytest.raises(DatasetError, match="1 frames too early"):
        dataset.episode(1)
    np.testing.assert_array_equal(dataset.episode(0)["action"], columns(0, 4)["action"])


def test_columns_that_are_not_as_declared_are_named(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    whole = pq.read_table(root / DATA.format(0))
    small = [{"bytes": encode_png(np.zeros((size, 4, 3), np.uint8)), "path": None} for size in (4, 4, 5, 4)]
    for name, values, words in (
        ("action", pa.array([[0.0] * 3] * 4, pa.list_(pa.float32(), 3)), r"'action' is not float32 .* \(2,\)"),
        ("action", pa.array([[0.0], [0.0] * 3, [0.0], [0.0]]), r"'action' is not float32 .* \(2,\)"),
        ("action", pa.array(["left"] * 4), r"'action' is not float32"),
        ("capture_ns", pa.array([[1, 2]] * 4), r"'capture_ns' is not int64 .* \(1,\)"),
        (CAMERA, pa.array(small, whole.schema.field(CAMERA).type), rf"'{CAMERA}' is not image .* \(16, 16, 3\)"),
        (CAMERA, pa.array([1, 2, 3, 4]), rf"'{CAMERA}' is not image"),
        ("action", pa.array([[0.0, 0.0], None, [0.0, 0.0], None]), "'action' lacks some"),
    ):
        column = whole.column_names.index(name)
        pq.write_table(whole.set_column(column, name, values), root / DATA.format(0))
        with pytest.raises(DatasetError, match=words):
            Dataset.open(root).episode(0)
        assert check(root).episodes == 0


def test_an_info_without_a_frame_rate_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    info = json.loads((root / "meta/info.json").read_text())
    for fps in (0, -8, "fast", None):
        (root / "meta/info.json").write_text(json.dumps({**info, "fps": fps}))
        with pytest.raises(DatasetError, match="not the info of a LeRobotDataset"):
            Dataset.open(root)


def test_episodes_and_columns_that_are_not_there(tmp_path: Path) -> None:
    dataset = Dataset.open(write(tmp_path / "set", 2))
    for index in (-1, 2):
        with pytest.raises(DatasetError, match="0 to 1"):
            dataset.episode(index)
    with pytest.raises(DatasetError, match="no column force"):
        dataset.episode(0, ["force"])


def test_what_a_reader_requires(tmp_path: Path) -> None:
    dataset = Dataset.open(write(tmp_path / "set", 1))
    dataset.require({"action": Feature("float32", (2,)), CAMERA: Feature("video", (16, 16, 3))})
    for wanted, words in (
        ({"force": Feature("float32")}, "no column 'force'"),
        ({"action": Feature("float32", (3,))}, r"\(3,\) is needed"),
        ({"action": Feature("int64", (2,))}, "int64"),
        ({CAMERA: Feature("image", (32, 32, 3))}, r"\(32, 32, 3\) is needed"),
        ({"action": Feature("image", (16, 16, 3))}, "is needed"),
    ):
        with pytest.raises(DatasetError, match=words):
            dataset.require(wanted)


def test_the_fingerprint_tells_contents_apart_and_not_places(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 3)
    fingerprint = Dataset.open(root).fingerprint()
    shutil.copytree(root, tmp_path / "copy")
    assert Dataset.open(tmp_path / "copy").fingerprint() == fingerprint
    assert Dataset.open(write(tmp_path / "again", 3)).fingerprint() == fingerprint
    assert Dataset.open(write(tmp_path / "fewer", 2)).fingerprint() != fingerprint

    data = bytearray((root / DATA.format(1)).read_bytes())
    data[len(data) // 2] ^= 1
    (root / DATA.format(1)).write_bytes(data)
    assert Dataset.open(root).fingerprint() != fingerprint


@pytest.mark.parametrize("picture", ["image", "video"])
def test_pictures_one_after_another_are_those_of_the_episode(tmp_path: Path, picture: str) -> None:
    dataset = Dataset.open(write(tmp_path / "set", 2, picture))
    np.testing.assert_array_equal(np.stack(list(dataset.frames(1, CAMERA))), dataset.episode(1)[CAMERA])
    with pytest.raises(DatasetError, match="2 is not among them"):
        next(dataset.frames(2, CAMERA))
    with pytest.raises(DatasetError, match="holds no pictures"):
        next(dataset.frames(0, "action"))
    for path in dataset.files():
        path.unlink()
    with pytest.raises(DatasetError, match="is missing"):
        next(dataset.frames(1, CAMERA))


def test_several_episodes_to_a_file_one_picture_after_another(tmp_path: Path) -> None:
    dataset = Dataset.open(several_to_a_file(tmp_path / "set", True))
    for index in range(3):
        np.testing.assert_array_equal(np.stack(list(dataset.frames(index, CAMERA))), dataset.episode(index)[CAMERA])
