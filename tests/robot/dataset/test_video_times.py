"""Episodes in videos of other programs: whatever a row's time drifts, each frame is the right one, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.dataset import Dataset, DatasetWriter, Feature
from robot.dataset.edit.check import check
from robot.dataset.edit.delete import delete
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import WHOLE, split
from robot.dataset.random_access import RandomAccess
from robot.errors import DatasetError
from tests.commands import in_process
from tests.robot.dataset.samples import CAMERA
from tests.robot.dataset.shared_video import (
    CODECS,
    LENGTHS,
    ROW,
    SIZE,
    VIDEO,
    decoded,
    encode,
    film,
    shown,
    write_shared,
)
from tests.soak import often

STARTS = np.cumsum([0, *LENGTHS[:-1]])
drifts = st.tuples(*[st.floats(-1.2, 1.2) | st.floats(-0.48, 0.48)] * 3)
videos = st.tuples(
    st.sampled_from(sorted(CODECS)), st.sampled_from([1, 2, 5, 250]), st.sampled_from([5, 24, 29.97, 50]), st.booleans()
)


def assert_whole(dataset: Dataset, numbers: list[int], truth: np.ndarray) -> None:
    """Episode k of the set has the frames of episode numbers[k] of the film, in each way of reading them."""
    with RandomAccess(dataset) as access:
        index = 0
        for place, number in enumerate(numbers):
            wanted = truth[STARTS[number] : STARTS[number] + LENGTHS[number]]
            np.testing.assert_array_equal(dataset.episode(place, [CAMERA])[CAMERA], wanted)
            np.testing.assert_array_equal(np.stack(list(dataset.frames(place, CAMERA))), wanted)
            np.testing.assert_array_equal(np.stack([access[index + k][CAMERA] for k in range(len(wanted))]), wanted)
            np.testing.assert_array_equal(access[index + len(wanted) // 2][CAMERA], wanted[len(wanted) // 2])
            index += len(wanted)


@settings(max_examples=often(6, 600))
@given(videos, drifts)
def test_every_frame_is_the_right_one_or_the_set_is_refused(
    tmp_path_factory: pytest.TempPathFactory, video: tuple[str, int, float, bool], drift: tuple[float, float, float]
) -> None:
    folder = tmp_path_factory.mktemp("drift")
    data, fps = film(*video), video[2]
    begins = [max(0.0, (start + off) / fps) for start, off in zip(STARTS, drift, strict=True)]
    root, truth = write_shared(folder / "theirs", data, fps, begins), decoded(data)
    assert len(truth) == sum(LENGTHS)
    small = all(abs(begin * fps - start) < 0.48 for begin, start in zip(begins, STARTS, strict=True))
    assert check(root).sound or not small
    if check(root).sound:
        assert_whole(Dataset.open(root), [0, 1, 2], truth)
    for make, numbers in (
        (lambda: merge(folder / "made", [root]), [0, 1, 2]),
        (lambda: split(root, folder / "part", {WHOLE: [2, 1]}), [2, 1]),
    ):
        try:
            make()
        except DatasetError as error:
            needs_others = "without encoding it again" in str(error)
            assert needs_others or not check(root).sound
            continue
        made = folder / ("made" if len(numbers) == 3 else "part")
        assert check(made).problems == () and check(made).remarks == ()
        assert_whole(Dataset.open(made), numbers, truth)
        delete(made, [0])
        assert_whole(Dataset.open(made), numbers[1:], truth)


@pytest.mark.parametrize("codec", ["h264", "mpeg4", "vp9", "av1"])
def test_episodes_that_were_encoded_one_by_one_are_merged_whatever_their_times_drift(
    tmp_path: Path, codec: str
) -> None:
    data = film(codec, 250, 30, True)
    root = write_shared(tmp_path / "theirs", data, 30, [0.0, (4 - 0.4) / 30, (10 + 0.4) / 30])
    merge(tmp_path / "made", [root])
    assert_whole(Dataset.open(tmp_path / "made"), [0, 1, 2], decoded(data))


def test_an_episode_whose_last_frames_need_the_next_ones_is_not_cut_out(tmp_path: Path) -> None:
    root = write_shared(tmp_path / "theirs", film("h264", 4, 10, False), 10, [0.0, 0.4, 1.0])
    with pytest.raises(DatasetError, match="without encoding it again"):
        merge(tmp_path / "made", [root])
    assert check(root).sound and [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_time_half_way_between_two_frames_is_refused(tmp_path: Path) -> None:
    root = write_shared(tmp_path / "theirs", film("h264", 250, 10, True), 10, [0.0, 0.35, 1.0])
    with pytest.raises(DatasetError, match=r"two frames equally near to 0\.35 s"):
        merge(tmp_path / "made", [root])
    assert any("equally near" in problem for problem in check(root).problems)


@pytest.mark.parametrize(("before", "codec"), [(0, "h264"), (0, "av1"), (3, "h264")])
def test_frames_of_a_discarded_take_are_named_and_left_alone(tmp_path: Path, before: int, codec: str) -> None:
    root = tmp_path / "theirs"
    pictures = shown(4 + 5)
    with DatasetWriter.create(root, 10, {CAMERA: Feature("video", (SIZE, SIZE, 3))}, None, durable=False) as writer:
        writer.save_episode({CAMERA: pictures[:4]}, "look")
    data = encode(pictures, 10, codec, 250)
    (root / VIDEO).write_bytes(data)
    row = pq.read_table(root / ROW)
    moved = row.set_column(
        row.column_names.index(f"videos/{CAMERA}/from_timestamp"), f"videos/{CAMERA}/from_timestamp", [[before / 10]]
    )
    pq.write_table(moved.replace_schema_metadata(), root / ROW)
    said = in_process("dataset", "check", str(root))
    assert said.returncode == 0 and "file-000.mp4: 5 frames belong to no episode, and are not used" in said.stdout
    merge(tmp_path / "made", [root])
    for made in (root, tmp_path / "made"):
        assert check(made).sound
        np.testing.assert_array_equal(Dataset.open(made).episode(0)[CAMERA], decoded(data)[before : before + 4])


def test_a_damaged_episode_is_not_moved_with_the_video_of_another(tmp_path: Path) -> None:
    data = film("h264", 250, 10, True)
    root = write_shared(tmp_path / "theirs", data, 10, [0.0, 0.4, 1.0])
    (root / "data/chunk-000/file-001.parquet").write_bytes(b"")
    with pytest.raises(DatasetError, match="several episodes to a file"):
        repair(root)
    assert (root / VIDEO).read_bytes() == data
