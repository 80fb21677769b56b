"""Pictures as other programs declare and store them: channels first, depth of one channel, opacity."""

from __future__ import annotations

import io
import json
import shutil
from itertools import permutations
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

from robot.dataset import Dataset
from robot.dataset.edit.check import check
from robot.dataset.edit.merge import merge
from robot.dataset.edit.repair import repair
from robot.dataset.edit.split import WHOLE, split
from robot.dataset.format.picture_shape import height_width_channels
from robot.dataset.random_access import RandomAccess
from robot.errors import PictureNotRead
from tests.commands import in_process
from tests.robot.dataset.samples import CAMERA, FPS, columns, write
from tests.robot.dataset.shared_video import VIDEO

DATA = "data/chunk-000/file-000.parquet"
AXES = ("height", "width", "channels")


@given(
    st.integers(5, 4000), st.integers(5, 4000), st.sampled_from([1, 3, 4]), st.sampled_from([*permutations(range(3))])
)
def test_named_axes_are_found_in_any_order(height: int, width: int, channels: int, order: tuple[int, ...]) -> None:
    sizes = (height, width, channels)
    declared, names = tuple(sizes[k] for k in order), [AXES[k] for k in order]
    assert height_width_channels(declared, names) == sizes
    assert height_width_channels((channels, height, width), None) == sizes
    assert height_width_channels(sizes, {"axes": names}) == sizes
    assert height_width_channels((channels, height, width), list(AXES)) == sizes  # names that cannot be right


def declare(root: Path, shape: list[int], names: object) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    info["features"][CAMERA] |= {"shape": shape, "names": names}
    path.write_text(json.dumps(info))


def store(root: Path, files: list[bytes]) -> None:
    """Put these picture files into the one episode of the set."""
    table = pq.read_table(root / DATA)
    pictures = pa.array([{"bytes": data, "path": None} for data in files], table.schema.field(CAMERA).type)
    pq.write_table(table.set_column(table.column_names.index(CAMERA), CAMERA, pictures), root / DATA)


@pytest.mark.parametrize("picture", ["image", "video"])
@pytest.mark.parametrize("names", [["channels", "height", "width"], ["channel", "height", "width"], None])
def test_channels_first_are_the_same_pictures(tmp_path: Path, picture: str, names: list[str] | None) -> None:
    ours = write(tmp_path / "ours", 1, picture)
    theirs = shutil.copytree(ours, tmp_path / "theirs")
    declare(theirs, [3, 16, 16], names)
    assert check(theirs).problems == () and repair(theirs).problems == ()
    expected = Dataset.open(ours).episode(0)[CAMERA]
    merge(tmp_path / "both", [theirs, ours])
    for root in (theirs, tmp_path / "both"):
        np.testing.assert_array_equal(Dataset.open(root).episode(0)[CAMERA], expected)
    assert json.loads((tmp_path / "both/meta/info.json").read_text())["features"][CAMERA]["shape"] == [16, 16, 3]
    for command in ("show", "gallery"):
        more = ["0"] if command == "show" else []
        out = tmp_path / ("film.mp4" if command == "show" else "page.html")
        assert in_process("dataset", command, str(theirs), *more, "--output", str(out)).returncode == 0


def deep(kind: str, length: int = 4) -> np.ndarray:
    high = 255 if kind == "uint8" else 65535
    return np.random.default_rng(0).integers(0, high, (length, 16, 16, 1), dtype=kind, endpoint=True)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [[16, 16, 1], [1, 16, 16]])
def test_depth_is_kept_to_the_bit(tmp_path: Path, kind: str, shape: list[int]) -> None:
    root, depth = write(tmp_path / "set", 1), deep(kind)
    declare(root, shape, None)
    store(root, [cv2.imencode(".png", frame)[1].tobytes() for frame in depth])
    assert check(root).problems == () and repair(root).problems == ()
    merge(tmp_path / "merged", [root])
    split(root, tmp_path / "part", {WHOLE: [0]})
    for place in (root, tmp_path / "merged", tmp_path / "part"):
        dataset = Dataset.open(place)
        found = dataset.episode(0)[CAMERA]
        assert found.dtype == depth.dtype
        np.testing.assert_array_equal(found, depth)
        with RandomAccess(dataset) as access:
            np.testing.assert_array_equal(access[2][CAMERA], depth[2])
    film, page = tmp_path / "film.mp4", tmp_path / "page.html"
    assert in_process("dataset", "show", str(root), "0", "--output", str(film)).returncode == 0
    assert in_process("dataset", "gallery", str(root), "--output", str(page)).returncode == 0


@pytest.mark.parametrize(("form", "bits"), [("gray12le", 12), ("yuv420p10le", 10), ("gray", 8)])
def test_depth_in_a_video_is_read_as_it_is_stored(tmp_path: Path, form: str, bits: int) -> None:
    root = write(tmp_path / "set", 1, "video")
    declare(root, [16, 16, 1], list(AXES))
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16) * (2**bits // 256)
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=FPS, options={"x265-params": "lossless=1:log-level=none"})
        stream.width = stream.height = 16
        stream.pix_fmt = form
        for _ in range(4):
            frame = av.VideoFrame(16, 16, form)
            for number, plane in enumerate(frame.planes):
                values = ramp if number == 0 else np.full((8, 8), 2 ** (bits - 1), np.uint16)
                rows = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16).copy().reshape(plane.height, -1)
                rows[:, : values.shape[1]] = values
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (root / VIDEO).write_bytes(target.getvalue())
    dataset = Dataset.open(root)
    np.testing.assert_array_equal(dataset.episode(0)[CAMERA], np.stack([ramp[..., None]] * 4))
    with RandomAccess(dataset) as access:
        np.testing.assert_array_equal(access[3][CAMERA], ramp[..., None])


def test_opacity_is_kept(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    declare(root, [16, 16, 4], list(AXES))
    frames = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 4), dtype=np.uint8)
    store(root, [cv2.imencode(".png", frame[..., [2, 1, 0, 3]])[1].tobytes() for frame in frames])
    assert check(root).problems == ()
    np.testing.assert_array_equal(Dataset.open(root).episode(0)[CAMERA], frames)


@pytest.mark.parametrize("what", ["tiff", "five channels"])
def test_pictures_that_are_not_read_are_no_damage(tmp_path: Path, what: str) -> None:
    root = write(tmp_path / "set", 1)
    declare(root, [16, 16, 1 if what == "tiff" else 5], None)
    if what == "tiff":
        store(root, [cv2.imencode(".tiff", frame)[1].tobytes() for frame in deep("uint16")])
    before = pq.read_table(root / DATA)
    report = check(root)
    assert report.problems == () and any("are not read" in remark for remark in report.remarks)
    assert repair(root).problems == ()
    merge(tmp_path / "merged", [root])
    assert pq.read_table(tmp_path / "merged" / DATA)[CAMERA].equals(before[CAMERA])
    with pytest.raises(PictureNotRead, match="are not read"):
        Dataset.open(root).episode(0)
    assert "action" in Dataset.open(root).episode(0, ["action"])


def test_a_torn_depth_picture_is_still_damage(tmp_path: Path) -> None:
    root = write(tmp_path / "set", 1)
    declare(root, [16, 16, 1], None)
    files: list[Any] = [cv2.imencode(".png", frame)[1].tobytes() for frame in deep("uint16")]
    store(root, [*files[:3], files[3][:40]])
    assert any("cannot be decoded" in problem for problem in check(root).problems)
    store(root, [cv2.imencode(".png", frame)[1].tobytes() for frame in columns(0, 4)[CAMERA]])
    assert any("3 channels, and 1 are declared" in problem for problem in check(root).problems)
