"""The schema of a data set: its features, its `meta/info.json`, and the paths of its files.

The layout is LeRobotDataset v3.0. Every set also has five bookkeeping columns that the writer fills:
`timestamp` (s, frame_index / fps), `frame_index`, `episode_index`, `index` (over the whole set), `task_index`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from robot.dataset.format.columns import EPISODE_INDEX, FRAME_INDEX, INDEX, TASK_INDEX, TIMESTAMP
from robot.dataset.format.feature_names import names_of_numbers
from robot.dataset.format.paths import require_name, require_template, require_within
from robot.dataset.format.picture_shape import AXES, height_width_channels
from robot.errors import ConfigurationError, DatasetError
from robot.system.bounds import (
    MAX_EPISODES,
    MAX_FEATURE_NUMBERS,
    MAX_FEATURES,
    MAX_FILE_NUMBER,
    MAX_FRAMES,
    MAX_PICTURE_PIXELS,
    MAX_PICTURE_SIDE,
    MAX_RATE,
    MIN_RATE,
)
from robot.system.plain_json import read_json
from robot.system.text import printable

CODEBASE_VERSION = "v3.0"
_BEFORE = "v2.1"
_CONVERTER = (
    "LeRobot converts a copy of it in place with `python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=NAME "
    "--root=FOLDER --push-to-hub=false`"
)
CHUNKS_SIZE = 1000  # files a chunk folder
VECTOR_DTYPES = ("float32", "int64", "bool")
PICTURE_DTYPES = ("image", "video")
MAX_DIMENSIONS = 8
_SHOWN = 300  # characters of a broken file's contents in a message
INFO_PATH = "meta/info.json"
STATS_PATH = "meta/stats.json"
TASKS_PATH = "meta/tasks.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


@dataclass(frozen=True)
class Feature:
    """One column of a data set.

    dtype: "float32", "int64" or "bool" for numbers of shape (n,); "image" (PNG in the data file) or "video"
    (AV1 in a file of its own) for pictures of shape (H, W, 3). A set written elsewhere may hold others, such as depth
    of shape (H, W, 1).
    names: one name a number, or None.
    stored_names: the names as `meta/info.json` has them, where that is not such a list; written again as they are.
    """

    dtype: str
    shape: tuple[int, ...] = (1,)
    names: tuple[str, ...] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)  # what other programs store about it, such as a video's codec
    stored_names: object = None

    @property
    def is_picture(self) -> bool:
        """Whether the column holds pictures, as images or as video."""
        return self.dtype in PICTURE_DTYPES

    @property
    def pixels(self) -> int:
        """Number of pixels in a picture of the column."""
        return math.prod(self.shape[:2])

    @property
    def channels(self) -> int:
        """Number of channels of a picture of the column."""
        return self.shape[-1]


BOOKKEEPING: Mapping[str, Feature] = {
    TIMESTAMP: Feature("float32"),
    FRAME_INDEX: Feature("int64"),
    EPISODE_INDEX: Feature("int64"),
    INDEX: Feature("int64"),
    TASK_INDEX: Feature("int64"),
}


@dataclass(frozen=True)
class DatasetInfo:
    """`meta/info.json`: what the set is (fps, features, robot) and how much it holds (the totals).

    fps: frames a second; worldarm records whole ones, and keeps a fraction (29.97) of another program as it is.
    features: every column, the five bookkeeping ones included.
    metadata: what worldarm stores about the whole set; plain JSON, under the key "worldarm".
    other: keys of the file that worldarm does not use and keeps as they are.
    """

    fps: float
    features: Mapping[str, Feature]
    robot_type: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    total_episodes: int = 0
    total_frames: int = 0
    total_tasks: int = 0
    chunks_size: int = CHUNKS_SIZE
    data_path: str = DATA_PATH
    video_path: str | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def user_features(self) -> dict[str, Feature]:
        """The columns that hold the user's data, in order; the bookkeeping columns are left out."""
        return {name: feature for name, feature in self.features.items() if name not in BOOKKEEPING}

    @property
    def image_keys(self) -> tuple[str, ...]:
        """Names of the columns stored as PNG images."""
        return tuple(name for name, feature in self.features.items() if feature.dtype == "image")

    @property
    def video_keys(self) -> tuple[str, ...]:
        """Names of the columns stored as video."""
        return tuple(name for name, feature in self.features.items() if feature.dtype == "video")

    def data_file(self, chunk: int, file: int) -> str:
        """Return the path of a data file, relative to the set."""
        return self.data_path.format(chunk_index=chunk, file_index=file)

    def video_file(self, key: str, chunk: int, file: int) -> str:
        """Return the path of a video file, relative to the set. Raises DatasetError when there is no `video_path`."""
        if self.video_path is None:
            raise DatasetError(f"meta/info.json declares the video {key!r} but no video_path")
        return self.video_path.format(video_key=key, chunk_index=chunk, file_index=file)

    def next_file(self, chunk: int, file: int) -> tuple[int, int]:
        """Return the (chunk, file) that follows the given one; after a full chunk folder the next one begins."""
        return (chunk + 1, 0) if file + 1 >= self.chunks_size else (chunk, file + 1)

    def with_totals(self, episodes: int, frames: int, tasks: int) -> DatasetInfo:
        """Return the same description with these totals."""
        return replace(self, total_episodes=episodes, total_frames=frames, total_tasks=tasks)

    def to_json(self) -> bytes:
        """Return the bytes of `meta/info.json`."""
        document = {
            **self.other,
            "codebase_version": CODEBASE_VERSION,
            "robot_type": self.robot_type,
            "fps": self.fps,
            "total_episodes": self.total_episodes,
            "total_frames": self.total_frames,
            "total_tasks": self.total_tasks,
            "chunks_size": self.chunks_size,
            "splits": {"train": f"0:{self.total_episodes}"},
            "data_path": self.data_path,
            "video_path": self.video_path,
            "features": {name: _feature_to_json(feature) for name, feature in self.features.items()},
        }
        if self.metadata:
            document["worldarm"] = dict(self.metadata)
        return json.dumps(document, indent=4, ensure_ascii=False, allow_nan=False).encode()


def new_info(
    fps: int, features: Mapping[str, Feature], robot_type: str | None, metadata: Mapping[str, Any] | None
) -> DatasetInfo:
    """Return the info of a set without episodes. Raises DatasetError when something in it cannot be written."""
    if isinstance(fps, bool) or not isinstance(fps, int) or not 1 <= fps <= MAX_RATE:
        raise DatasetError(
            f"fps must be a whole number of frames a second, at least 1 and at most {MAX_RATE}; it is {fps!r}"
        )
    if not features:
        raise DatasetError("a data set needs at least one feature")
    for name, feature in features.items():
        validate_feature(name, feature)
    has_video = any(feature.dtype == "video" for feature in features.values())
    with_info = {name: _with_video_info(feature, fps) for name, feature in features.items()}
    info = DatasetInfo(
        fps=fps,
        features={**with_info, **BOOKKEEPING},
        robot_type=robot_type,
        metadata=dict(metadata or {}),
        video_path=VIDEO_PATH if has_video else None,
        other={"data_files_size_in_mb": 100, "video_files_size_in_mb": 200},
    )
    try:
        info.to_json()
    except (TypeError, ValueError) as error:
        raise DatasetError(f"the data set's metadata is not plain JSON: {error}") from error
    return info


def validate_feature(name: str, feature: Feature) -> None:
    """Raise DatasetError when the writer cannot store a feature of this name, type or shape."""
    if name in BOOKKEEPING:
        raise DatasetError(f"the feature name {name!r} is reserved for the writer: choose another")
    if not name or "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        raise DatasetError(f"the feature name {name!r} must be printable, not empty and without '/'")
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in feature.shape):
        raise DatasetError(f"the feature {name!r} has the shape {feature.shape}: each size must be a whole number ≥ 1")
    if feature.is_picture:
        if len(feature.shape) != 3 or feature.shape[2] != 3:
            raise DatasetError(f"the {feature.dtype} {name!r} must have the shape (H, W, 3); it is {feature.shape}")
        if feature.dtype == "video" and (feature.shape[0] % 2 or feature.shape[1] % 2):
            raise DatasetError(f"the video {name!r} needs an even height and width; it is {feature.shape}")
    elif feature.dtype in VECTOR_DTYPES:
        if len(feature.shape) != 1:
            raise DatasetError(f"the feature {name!r} must have the shape (n,); it is {feature.shape}")
        if feature.names is not None and len(feature.names) != feature.shape[0]:
            raise DatasetError(f"the feature {name!r} has {feature.shape[0]} numbers but {len(feature.names)} names")
    else:
        known = ", ".join((*VECTOR_DTYPES, *PICTURE_DTYPES))
        raise DatasetError(f"the feature {name!r} has the type {feature.dtype!r}; the writer knows {known}")
    require_name(name)
    try:
        _require_size(name, feature)
    except ValueError as error:
        raise DatasetError(f"no reader takes such a feature: {error}") from error


def same_kind(first: Feature, second: Feature) -> bool:
    """Return whether two features have the same type, shape and, for numbers, names in whichever form."""
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    if first.is_picture or (first.names is not None and first.names == second.names):
        return True
    return (first.names, first.stored_names) == (second.names, second.stored_names)


def describe_feature(feature: Feature | None) -> str:
    """Return a feature in a few words, for messages; None stands for an absent one."""
    if feature is None:
        return "absent"
    names = "" if feature.is_picture else describe_names(feature)
    return f"{feature.dtype} {feature.shape}{names and f' named {names}'}"


def describe_names(feature: Feature) -> str:
    """Return the names of a feature's numbers; those that do not name each number with a remark; empty without any."""
    if feature.names is not None:
        return ", ".join(feature.names)
    if feature.stored_names is None:
        return ""
    shown = json.dumps(feature.stored_names, ensure_ascii=False)
    return f"{shown} (not one a number: not used)"


def read_info(root: Path) -> DatasetInfo:
    """Read `meta/info.json` of the set under `root`; the paths and sizes that it declares are within bounds.

    Every command that reads a set comes here first. Raises DatasetError when the file is absent, broken or not v3.0,
    when a path or a size in it is out of bounds, and when a link in the set leads out of it.
    """
    path = root / INFO_PATH
    if not root.is_dir():
        raise DatasetError(f"there is no data set at {root}: the folder does not exist")
    require_within(root)
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise DatasetError(f"{root} is not a data set: it has no {INFO_PATH}") from None
    except (OSError, ValueError, ConfigurationError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    try:
        return _info_from_json(document)
    except DatasetError as error:  # one of several sets, in a merge
        raise DatasetError(f"{root}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DatasetError(f"{path} is not the info of a LeRobotDataset: {printable(repr(error), _SHOWN)}") from error


def _info_from_json(document: dict[str, Any]) -> DatasetInfo:
    version = document["codebase_version"]
    if version != CODEBASE_VERSION:
        cure = f": {_CONVERTER}" if version == _BEFORE else ""
        raise DatasetError(
            f"the data set is of version {printable(repr(version), _SHOWN)}; worldarm reads {CODEBASE_VERSION!r}{cure}"
        )
    features = {name: _feature_from_json(name, entry) for name, entry in document["features"].items()}
    if len(features) > MAX_FEATURES:
        raise ValueError(f"it has {len(features)} columns, and at most {MAX_FEATURES} are read")
    data_path, video_path = document.get("data_path", DATA_PATH), document.get("video_path")
    require_template("data_path", data_path, ".parquet")
    if video_path is not None:
        require_template("video_path", video_path, ".mp4", of_videos=True)
    metadata = dict(document.get("worldarm", {}))
    if not isinstance(metadata.get("history", []), list):
        raise ValueError("its history is not a list")
    robot_type = document.get("robot_type")
    if robot_type is not None and not isinstance(robot_type, str):
        raise ValueError("its robot_type is not a text")
    used = {
        "codebase_version", "robot_type", "fps", "total_episodes", "total_frames", "total_tasks", "chunks_size",
        "splits", "data_path", "video_path", "features", "worldarm",
    }  # fmt: skip
    return DatasetInfo(
        fps=_rate(document["fps"]),
        features=features,
        robot_type=robot_type,
        metadata=metadata,
        total_episodes=_whole("total_episodes", document["total_episodes"], 0, MAX_EPISODES),
        total_frames=_whole("total_frames", document["total_frames"], 0, MAX_FRAMES),
        total_tasks=_whole("total_tasks", document["total_tasks"], 0, MAX_EPISODES),
        chunks_size=_whole("chunks_size", document.get("chunks_size", CHUNKS_SIZE), 1, MAX_FILE_NUMBER),
        data_path=data_path,
        video_path=video_path,
        other={key: value for key, value in document.items() if key not in used},
    )


def _feature_to_json(feature: Feature) -> dict[str, Any]:
    names: object = None if feature.names is None else list(feature.names)
    if feature.stored_names is not None:
        names = feature.stored_names
    elif feature.is_picture and names is None:
        names = list(AXES)
    entry = {"dtype": feature.dtype, "shape": list(feature.shape), "names": names}
    return {**entry, "info": dict(feature.info)} if feature.info else entry


def _rate(value: Any) -> float:
    """Return a rate of `meta/info.json`, a whole one as an integer. Raises ValueError when it is out of bounds."""
    rate = float(value)
    if isinstance(value, bool) or not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"fps is {value}, and must be from {MIN_RATE} to {MAX_RATE}")
    return int(rate) if rate.is_integer() else rate


def _whole(what: str, value: Any, least: int, most: int) -> int:
    """Return a number of `meta/info.json` as a whole one. Raises ValueError when it is not from `least` to `most`."""
    number = int(value)
    if not least <= number <= most:
        raise ValueError(f"{what} is {number}, and must be from {least} to {most}")
    return number


def _require_size(name: str, feature: Feature) -> None:
    """Raise ValueError when a column's shape takes more memory than any data needs."""
    if any(size < 0 for size in feature.shape) or len(feature.shape) > MAX_DIMENSIONS:
        raise ValueError(f"the shape of {name!r} is {feature.shape}")
    if feature.is_picture:
        if len(feature.shape) != 3 or min(feature.shape) < 1 or max(feature.shape) > MAX_PICTURE_SIDE:
            raise ValueError(f"the pictures {name!r} have the shape {feature.shape}, which no camera has")
        if feature.pixels > MAX_PICTURE_PIXELS:
            raise ValueError(f"the pictures {name!r} have the shape {feature.shape}, more than is ever decoded")
    elif math.prod(feature.shape) > MAX_FEATURE_NUMBERS:
        raise ValueError(f"{name!r} has the shape {feature.shape}, and at most {MAX_FEATURE_NUMBERS} numbers are read")


def _feature_from_json(name: str, entry: dict[str, Any]) -> Feature:
    require_name(name)
    stored, dtype = entry.get("names"), str(entry["dtype"])
    shape = tuple(int(size) for size in entry["shape"]) or (1,)
    picture = dtype in PICTURE_DTYPES
    shape = height_width_channels(shape, stored) if picture else shape
    names = None if picture else names_of_numbers(stored, math.prod(shape))
    feature = Feature(
        dtype=dtype,
        shape=shape,
        names=names,
        info=dict(entry.get("info") or {}),
        stored_names=None if picture or stored == (names and list(names)) else stored,
    )
    _require_size(name, feature)
    return feature


def _with_video_info(feature: Feature, fps: int) -> Feature:
    if feature.dtype != "video":
        return feature
    height, width, channels = feature.shape
    described = {
        "video.height": height,
        "video.width": width,
        "video.channels": channels,
        "video.codec": "av1",
        "video.pix_fmt": "yuv420p",
        "video.fps": fps,
        "video.is_depth_map": False,
        "has_audio": False,
    }
    return replace(feature, info=described)
