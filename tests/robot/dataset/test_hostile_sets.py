"""Sets that were made to harm: their files say what is not so, or lead elsewhere."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import split
from robot.dataset.format.schema import read_info
from robot.errors import DatasetError, WorldarmError
from robot.system.av1 import open_at_ordinary_priority
from tests.hostile import told_by
from tests.robot.dataset.samples import CAMERA, FPS, write

INFO = "meta/info.json"
DATA = "data/chunk-000/file-000.parquet"
ROW = "meta/episodes/chunk-000/file-000.parquet"
VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"
CHECK = "from pathlib import Path\nfrom robot.dataset.edit.check import check"
READ = "from pathlib import Path\nfrom robot.dataset.reader import Dataset"
COMMANDS: dict[str, Callable[[Path, Path], object]] = {
    "open": lambda root, new: Dataset.open(root),
    "append": lambda root, new: DatasetWriter.open(root),
    "check": lambda root, new: check(root),
    "repair": lambda root, new: repair(root),
    "merge": lambda root, new: merge(new, [root]),
    "split": lambda root, new: split(root, new, {"": [0]}),
    "delete": lambda root, new: delete(root, [0]),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("kept") / "set", 2, "video")


@pytest.fixture
def root(videos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(videos, tmp_path / "box" / "set"))


def say(root: Path, **changes: Any) -> None:
    path = root / INFO
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "changes",
    [
        {"data_path": "../../stolen/{chunk_index}-{file_index}.parquet"},
        {"data_path": "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"},
        {"data_path": "data/{chunk_index}-{file_index:09999999999d}.parquet"},
        {"video_path": "{video_key}/../../../stolen/{chunk_index}-{file_index}.mp4"},
        {"video_path": "ABSOLUTE/{video_key}/{chunk_index}-{file_index}.mp4"},
        {"features": {"../../stolen": {"dtype": "video", "shape": [16, 16, 3]}}},
        {"features": {"wide": {"dtype": "float32", "shape": [10**12]}}},
        {"features": {"large": {"dtype": "video", "shape": [10**6, 10**6, 3]}}},
        {"features": []},
        {"features": {"odd": 7}},
        {"chunks_size": 0},
        {"fps": 1e400},
        {"fps": 10**30},
        {"fps": None},
        {"total_episodes": -1},
        {"worldarm": {"history": 7}},
        {"worldarm": 7},
        {"robot_type": {}},
        {"codebase_version": "\x1b[2J"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_command_follows_what_the_info_says_out_of_the_set(
    root: Path, tmp_path: Path, changes: dict[str, Any], command: str
) -> None:
    (tmp_path / "stolen").mkdir()
    (tmp_path / "stolen" / "0-0.parquet").write_bytes(b"mine")
    say(root, **json.loads(json.dumps(changes).replace("ABSOLUTE", str(tmp_path / "stolen"))))
    before = contents(tmp_path)
    with pytest.raises(DatasetError) as caught:
        COMMANDS[command](root, tmp_path / "new")
    assert str(caught.value).isprintable()
    assert contents(tmp_path) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", [INFO, DATA, ROW, VIDEO, "meta/tasks.parquet", "data", INFO + ".tmp", "meta/new"])
def test_no_command_follows_a_link_out_of_the_set(root: Path, tmp_path: Path, place: str, command: str) -> None:
    away = tmp_path / "away"
    link = root / place
    if link.exists():
        shutil.move(link, away)
    else:
        away.write_bytes(b"mine")
    link.symlink_to(away)
    before = contents(tmp_path)
    with pytest.raises(DatasetError, match="link out of the data set"):
        COMMANDS[command](root, tmp_path / "new")
    assert contents(tmp_path) == before


def test_what_is_damaged_is_not_moved_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (root / "damaged").symlink_to(tmp_path / "away")
    (root / DATA).write_bytes(b"torn")
    with pytest.raises(DatasetError, match="leads out of the data set"):
        repair(root)
    assert not contents(tmp_path / "away")


@pytest.mark.parametrize("nested", ["[", '{"a":'])
def test_an_info_of_brackets_is_told(root: Path, nested: str) -> None:
    (root / INFO).write_text(nested * 100_000)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_info(root)
    closing = "]" if nested == "[" else "}"
    (root / INFO).write_text(nested * 100_000 + "1" + closing * 100_000)
    with pytest.raises(DatasetError, match="nested too deeply"):
        read_info(root)


@pytest.mark.parametrize("odd", ["NaN", "1e999", '"\\ud800"'])
def test_what_could_not_be_written_again_is_not_read(root: Path, odd: str) -> None:
    (root / INFO).write_text((root / INFO).read_text().replace("{", f'{{"odd": {odd},', 1))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_info(root)


def test_an_immense_info_is_not_read(root: Path) -> None:
    with (root / INFO).open("r+b") as file:
        file.truncate(1 << 40)
    assert "larger than 16 MB" in told_by(READ, f"Dataset.open(Path({str(root)!r}))")


def video_of(width: int, height: int, codec: str, frames: int) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        open_at_ordinary_priority(stream)
        frame = av.VideoFrame(width, height, "yuv420p")
        for number in range(frames):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


@pytest.mark.parametrize("codec", ["libsvtav1", "libx264", "mpeg4"])
def test_a_video_of_larger_pictures_than_declared_is_not_decoded(root: Path, codec: str) -> None:
    data = video_of(4096, 4096, codec, 4)
    (root / VIDEO).write_bytes(data)
    assert not check(root).sound
    with pytest.raises(DatasetError, match=r"says that its pictures have 4096x4096 pixels|cannot be decoded"):
        Dataset.open(root).episode(0)
    # The header of the file says what is declared, the pictures themselves do not.
    small, large = (16).to_bytes(2, "big") * 2, (4096).to_bytes(2, "big") * 2
    (root / VIDEO).write_bytes(data.replace(large, small))
    code = f"print(check(Path({str(root)!r})).problems)"
    assert told_by(CHECK, code, 60) == "done"
    assert not check(root).sound


def test_pictures_of_other_sizes_than_declared_are_not_decoded(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    table = pq.read_table(root / DATA)
    bomb = cv2.imencode(".png", np.zeros((16_000, 3_000, 3), np.uint8))[1].tobytes()
    pictures = pa.StructArray.from_arrays(
        [pa.array([bomb] * len(table)), pa.nulls(len(table), pa.string())], ["bytes", "path"]
    )
    pq.write_table(table.set_column(table.column_names.index(CAMERA), CAMERA, pictures), root / DATA)
    assert told_by(CHECK, f"print(check(Path({str(root)!r})).problems)", 60) == "done"
    with pytest.raises(DatasetError, match="says that it has 3000x16000 pixels"):
        Dataset.open(root).episode(0)


@given(st.randoms(use_true_random=False), st.sampled_from([1, 2, 8]))
def test_a_video_with_any_changed_byte_is_found(videos: Path, chance: random.Random, count: int) -> None:
    path = videos / VIDEO
    whole = path.read_bytes()
    data = bytearray(whole)
    for place in chance.sample(range(len(data)), count):
        data[place] ^= chance.randrange(1, 256)
    try:
        path.write_bytes(data)
        assert not check(videos).sound
    finally:
        path.write_bytes(whole)


@given(
    st.randoms(use_true_random=False),
    st.sampled_from([INFO, DATA, ROW, VIDEO, "meta/tasks.parquet", "meta/stats.json"]),
)
def test_damage_anywhere_is_a_plain_error(videos: Path, chance: random.Random, name: str) -> None:
    path = videos / name
    whole = path.read_bytes()
    data = bytearray(whole)
    for place in chance.sample(range(len(data)), chance.choice([1, 4, 16])):
        data[place] = chance.randrange(256)
    try:
        path.write_bytes(data)
        for read in (
            check,
            lambda root: list(Dataset.open(root).frames(0, CAMERA)),
            lambda root: Dataset.open(root).episode(0),
        ):
            try:
                read(videos)
            except WorldarmError as error:
                assert str(error)
    finally:
        path.write_bytes(whole)


def test_a_set_without_digests_is_sound(root: Path) -> None:
    """As earlier versions wrote it."""
    for path in (root / "meta/episodes").rglob("*.parquet"):
        table = pq.read_table(path)
        kept = {key: value for key, value in table.schema.metadata.items() if key != b"worldarm.video_sha256"}
        assert kept != table.schema.metadata
        pq.write_table(table.replace_schema_metadata(kept), path)
    assert check(root).sound
    merge(root.parent / "both", [root])
    assert check(root.parent / "both").sound


def test_digests_stay_with_their_videos(root: Path, tmp_path: Path) -> None:
    before = [episode.digests for episode in Dataset.open(root).episodes]
    assert all(each.keys() == {CAMERA} for each in before)
    merge(tmp_path / "both", [root])
    assert [episode.digests for episode in Dataset.open(tmp_path / "both").episodes] == before
    delete(root, [0])
    assert [episode.digests for episode in Dataset.open(root).episodes] == before[1:]
    assert check(root).sound


def rows(**changes: Any) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        table = pq.read_table(root / ROW)
        for name, value in changes.items():
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array([value], table.column(at).type))
        pq.write_table(table, root / ROW)

    return change


@pytest.mark.parametrize(
    "changes",
    [
        {"length": 10**15},
        {"length": -1},
        {"data/file_index": -1},
        {"data/chunk_index": 2**62},
        {"dataset_from_index": -5},
        {f"videos/{CAMERA}/from_timestamp": float("nan")},
        {f"videos/{CAMERA}/from_timestamp": float("inf")},
        {f"videos/{CAMERA}/from_timestamp": -1.0},
        {f"videos/{CAMERA}/to_timestamp": 1e300},
        {"tasks": ["x" * 10**6]},
    ],
    ids=str,
)
def test_impossible_numbers_in_a_row_are_told(root: Path, changes: dict[str, Any]) -> None:
    rows(**changes)(root)
    assert not check(root).sound
    with pytest.raises(DatasetError, match="not a readable list of episodes"):
        Dataset.open(root)


def test_rows_that_repeat_do_not_fill_the_memory(root: Path) -> None:
    many = 300_000_000
    with pq.ParquetWriter(root / DATA, pa.schema([("index", pa.int64())])) as writer:
        writer.write_table(pa.table({"index": pa.chunked_array([np.zeros(many, np.int64)])}))
    assert (root / DATA).stat().st_size < 2_000_000
    code = f"read_frames(Path({str(root / DATA)!r}), 0, {many}, ['index'])"
    assert "would take 2400 MB" in told_by(
        "from pathlib import Path\nfrom robot.dataset.reader import read_frames", code, 60
    )


def test_words_that_repeat_do_not_fill_the_memory(root: Path) -> None:
    task = pa.DictionaryArray.from_arrays(pa.array(np.zeros(9_000, np.int32)), pa.array(["x" * 2_000_000]))
    pq.write_table(
        pa.table({"task_index": np.arange(9_000), "task": task}), root / "meta/tasks.parquet", store_schema=False
    )
    assert (root / "meta/tasks.parquet").stat().st_size < 300_000
    imports = "from pathlib import Path\nfrom robot.dataset.format.tasks import read_tasks"
    assert "would take" in told_by(imports, f"read_tasks(Path({str(root)!r}))")
