"""Writes small sets as other programs do: several episodes to a file, tasks by frame, names and rates of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from robot.dataset.format.encoding import encode_video
from robot.dataset.format.schema import DATA_PATH, VIDEO_PATH
from robot.dataset.format.statistics import picture_statistics, vector_statistics

CAMERA = "observation.images.front"
TASKS = ("pick", "place", "wait")
_SIZE = (16, 16, 3)
_NUMBERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(episode: int, frame: int) -> npt.NDArray[np.uint8]:
    """A grey picture that says which frame of which episode it is."""
    return np.full(_SIZE, (20 * episode + 5 * frame + 10) % 256, np.uint8)


def write_foreign(
    root: Path,
    frame_tasks: Sequence[Sequence[int]] = ((0,) * 4, (1,) * 5, (2,) * 3),
    *,
    listed: Sequence[Sequence[str]] | None = None,
    tasks: Sequence[str] = TASKS,
    fps: float = 10,
    kind: str = "image",
    apart: bool = False,
    more: dict[str, Any] | None = None,
    of_action: dict[str, Any] | None = None,
    motion: Sequence[npt.NDArray[np.float32]] | None = None,
) -> Path:
    """Write a set with an episode for each entry of `frame_tasks`: the task's number of each of its frames.

    listed: the tasks that each episode's row names; None: those of its frames, as they first occur. kind: of the
    pictures, "image" or "video". apart: a file for each episode. more: changes to `meta/info.json`. of_action: changes
    to what it says about the action. motion: the actions of each episode, (T, n), which are its states too; None for
    actions of two numbers and no states.
    """
    features: dict[str, dict[str, Any]] = {
        CAMERA: {"dtype": kind, "shape": list(_SIZE), "names": ["height", "width", "channels"]},
        "action": {"dtype": "float32", "shape": [2], "names": ["a", "b"], **(of_action or {})},
        **({} if motion is None else {"observation.state": {"dtype": "float32", "shape": [2], **(of_action or {})}}),
        **{
            name: {"dtype": "int64" if name != "timestamp" else "float32", "shape": [1], "names": None}
            for name in _NUMBERS
        },
    }
    rows, tables, begin = [], [], 0
    for episode, chosen in enumerate(frame_tasks):
        columns = _columns(episode, chosen, begin, fps, None if motion is None else motion[episode])
        pictures = np.stack([picture(episode, frame) for frame in range(len(chosen))])
        place = episode if apart else 0
        first = 0 if apart else begin
        named = list(dict.fromkeys(tasks[number] for number in chosen)) if listed is None else list(listed[episode])
        row: dict[str, Any] = {
            "episode_index": episode, "tasks": named, "length": len(chosen), "data/chunk_index": 0,
            "data/file_index": place, "dataset_from_index": begin, "dataset_to_index": begin + len(chosen),
        }  # fmt: skip
        if kind == "video":
            spans = {"from": first / fps, "to": (first + len(chosen)) / fps}
            row |= {f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": place}
            row |= {f"videos/{CAMERA}/{end}_timestamp": seconds for end, seconds in spans.items()}
        for name, entry in (vector_statistics(columns) | {CAMERA: picture_statistics(pictures)}).items():
            row |= {f"stats/{name}/{key}": value.tolist() for key, value in entry.items()}
        rows.append(row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0})
        tables.append(_table(columns, pictures if kind == "image" else None))
        begin += len(chosen)
    _write_files(root, tables, rows, [len(chosen) for chosen in frame_tasks] if kind == "video" else None, fps, apart)
    pq.write_table(
        pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(list(tasks), pa.string())}),
        root / "meta/tasks.parquet",
    )
    info = {
        "codebase_version": "v3.0", "robot_type": "so101_follower", "total_episodes": len(rows), "total_frames": begin,
        "total_tasks": len(tasks), "chunks_size": 1000, "fps": fps, "splits": {"train": f"0:{len(rows)}"},
        "data_path": DATA_PATH, "video_path": VIDEO_PATH if kind == "video" else None, "features": features,
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info | (more or {})))
    return root


def _columns(
    episode: int, chosen: Sequence[int], begin: int, fps: float, motion: npt.NDArray[np.float32] | None
) -> dict[str, npt.NDArray[np.generic]]:
    frame = np.arange(len(chosen))
    if motion is None:
        numbers = {"action": np.stack([10 * episode + frame, -frame], axis=1).astype(np.float32)}
    else:
        numbers = {"action": motion.astype(np.float32), "observation.state": motion.astype(np.float32)}
    return {
        **numbers,
        "timestamp": (frame / fps).astype(np.float32),
        "frame_index": frame,
        "episode_index": np.full(len(chosen), episode),
        "index": begin + frame,
        "task_index": np.array(chosen, dtype=np.int64),
    }


def _table(columns: dict[str, npt.NDArray[np.generic]], pictures: npt.NDArray[np.uint8] | None) -> pa.Table:
    arrays = {
        name: pa.array(values)
        if values.ndim == 1
        else pa.array(values.tolist(), pa.list_(pa.float32(), values.shape[1]))
        for name, values in columns.items()
    }
    if pictures is not None:
        files = [cv2.imencode(".png", each)[1].tobytes() for each in pictures]
        arrays[CAMERA] = pa.array([{"bytes": file, "path": f"{n}.png"} for n, file in enumerate(files)], _IMAGE)
    return pa.table(arrays)


def _write_files(
    root: Path, tables: list[pa.Table], rows: list[Any], lengths: list[int] | None, fps: float, apart: bool
) -> None:
    groups = [[episode] for episode in range(len(tables))] if apart else [list(range(len(tables)))]
    for file, episodes in enumerate(groups):
        path = root / DATA_PATH.format(chunk_index=0, file_index=file)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables([tables[episode] for episode in episodes]), path)
        if lengths is not None:
            path = root / VIDEO_PATH.format(video_key=CAMERA, chunk_index=0, file_index=file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                encode_video(np.stack([picture(e, frame) for e in episodes for frame in range(lengths[e])]), fps)
            )
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    _write_totals(root, tables)


def _write_totals(root: Path, tables: list[pa.Table]) -> None:
    """Write the statistics of the whole set over all its frames."""
    whole = pa.concat_tables(tables)
    columns = {name: np.array(whole[name].to_pylist()) for name in whole.column_names if name != CAMERA}
    pictures = np.stack([picture(e, frame) for e, table in enumerate(tables) for frame in range(len(table))])
    entries = vector_statistics(columns) | {CAMERA: picture_statistics(pictures)}
    plain = {name: {key: value.tolist() for key, value in entry.items()} for name, entry in entries.items()}
    (root / "meta/stats.json").write_text(json.dumps(plain))
