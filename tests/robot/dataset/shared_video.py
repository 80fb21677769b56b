"""Sets of other programs: several episodes in one video, of any codec and rate, whose rows state drifting times."""

from __future__ import annotations

import functools
import io
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from robot.dataset import DatasetWriter, Feature
from robot.dataset.format.video_file import exact_rate
from robot.system.av1 import open_at_ordinary_priority
from tests.robot.dataset.samples import CAMERA

LENGTHS = (4, 6, 5)
SIZE = 32
VIDEO = f"videos/{CAMERA}/chunk-000/file-000.mp4"
ROW = "meta/episodes/chunk-000/file-000.parquet"
CODECS = {
    "h264": ("libx264", {}),
    "h264 without B-frames": ("libx264", {"bf": "0"}),
    "h264 with open groups": ("libx264", {"x264-params": "open-gop=1:bframes=3:scenecut=0"}),
    "h265": ("libx265", {"x265-params": "log-level=none:pools=none:frame-threads=1"}),
    "mpeg4": ("mpeg4", {"bf": "2"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1"}),
}


def shown(count: int) -> np.ndarray:
    """Pictures (count, SIZE, SIZE, 3) that differ much from each other, so that a codec keeps them apart."""
    ramp = np.linspace(0, 60, SIZE)[:, None] + np.zeros((1, SIZE))
    return np.stack([np.stack([(ramp + 41 * k) % 256] * 3, axis=-1) for k in range(count)]).astype(np.uint8)


def encode(pictures: Sequence[np.ndarray] | np.ndarray, fps: float, codec: str, group: int) -> bytes:
    """An MP4 file with a key frame at least every `group` frames."""
    name, options = CODECS[codec]
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream(name, rate=exact_rate(fps), options={**options, "g": str(group)})
        stream.height = stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        open_at_ordinary_priority(stream)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return target.getvalue()


def joined(parts: Sequence[bytes]) -> bytes:
    """One MP4 file of several, packet by packet, as recorders join the videos of their episodes."""
    with tempfile.TemporaryDirectory() as folder:
        listed = ["ffconcat version 1.0"]
        for number, part in enumerate(parts):
            (Path(folder) / f"{number}.mp4").write_bytes(part)
            listed.append(f"file '{folder}/{number}.mp4'")
        (Path(folder) / "list.txt").write_text("\n".join(listed))
        target = io.BytesIO()
        with (
            av.open(f"{folder}/list.txt", format="concat", options={"safe": "0"}) as source,
            av.open(target, "w", format="mp4") as made,
        ):
            stream = source.streams.video[0]
            copy = made.add_stream_from_template(stream, opaque=True)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    made.mux(packet)
        return target.getvalue()


@functools.lru_cache(maxsize=64)
def film(codec: str, group: int, fps: float, apart: bool) -> bytes:
    """The video of all episodes: encoded `apart`, one by one, and joined, or as one."""
    pictures = shown(sum(LENGTHS))
    if not apart:
        return encode(pictures, fps, codec, group)
    bounds = np.cumsum(LENGTHS)[:-1]
    return joined([encode(part, fps, codec, group) for part in np.split(pictures, bounds)])


def decoded(data: bytes) -> np.ndarray:
    """Every picture of a video, read from its start to its end."""
    with av.open(io.BytesIO(data)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def write_shared(root: Path, data: bytes, fps: float, begins: Sequence[float]) -> Path:
    """A set of three episodes in the one video `data`, whose rows say that they begin at `begins`, s."""
    features = {CAMERA: Feature("video", (SIZE, SIZE, 3)), "action": Feature("float32", (1,))}
    with DatasetWriter.create(root, round(fps), features, None, durable=False) as writer:
        for number, length in enumerate(LENGTHS):
            pictures = np.zeros((length, SIZE, SIZE, 3), np.uint8)
            action = 10.0 * number + np.arange(length)
            writer.save_episode({CAMERA: pictures, "action": action.astype(np.float32)}, "look")
    for path in (root / "data").rglob("*.parquet"):  # worldarm itself writes whole rates only
        table = pq.read_table(path)
        times = pa.array((np.arange(len(table)) / fps).astype(np.float32))
        pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", times), path)
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "fps": fps}))
    rows = [
        row for path in sorted((root / "meta/episodes").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    for row, begin in zip(rows, begins, strict=True):
        row[f"videos/{CAMERA}/file_index"] = row["meta/episodes/file_index"] = 0
        row[f"videos/{CAMERA}/from_timestamp"] = begin
        row[f"videos/{CAMERA}/to_timestamp"] = begin + row["length"] / fps
    for folder in ("meta/episodes", f"videos/{CAMERA}"):
        shutil.rmtree(root / folder)
        (root / folder / "chunk-000").mkdir(parents=True)
    (root / VIDEO).write_bytes(data)
    pq.write_table(pa.Table.from_pylist(rows), root / ROW)
    return root
